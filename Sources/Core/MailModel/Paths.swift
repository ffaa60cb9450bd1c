/// Where failures are reported: the argument of MAIL FROM (RFC 5321 §4.1.2).
public enum ReversePath: Hashable, Sendable {
    /// `<>`: a notification. Nothing is ever sent back about it (§4.5.5).
    case null
    /// The sender; a source route in front of it was read and dropped (appendix C).
    case mailbox(Mailbox)

    /// Reads a path with its angle brackets.
    public init?(_ text: some StringProtocol) {
        guard let (path, rest) = Self.parsePrefix(Array(text.utf8)[...]), rest.isEmpty else { return nil }
        self = path
    }

    /// Reads a path at the start of `bytes` and gives back what follows it.
    public static func parsePrefix(
        _ bytes: ArraySlice<UInt8>, _ conversion: DomainNameConversion = .none
    ) -> (path: ReversePath, rest: ArraySlice<UInt8>)? {
        var scanner = PathScanner(bytes, conversion)
        guard scanner.take("<") else { return nil }
        if scanner.take(">") { return (.null, scanner.remainder) }
        guard scanner.sourceRoute() != nil, let mailbox = scanner.mailbox(), scanner.take(">") else { return nil }
        return (.mailbox(mailbox), scanner.remainder)
    }

    /// Whether only a host with SMTPUTF8 can be told it.
    public var isInternational: Bool { if case .mailbox(let mailbox) = self { mailbox.isInternational } else { false } }
}

/// Where a message goes: the argument of RCPT TO (RFC 5321 §4.1.1.3).
public enum ForwardPath: Hashable, Sendable {
    /// `<Postmaster>` without a domain, in any case: whoever runs this host (§4.5.1).
    case postmaster
    /// A mailbox.
    case mailbox(Mailbox)
    /// A mailbox behind a source route (appendix C). The route is ignored for delivery, and remembered because an
    /// untrusted client that names one is refused.
    case sourceRouted(Mailbox, via: [DomainName])

    /// Reads a path with its angle brackets.
    public init?(_ text: some StringProtocol) {
        guard let (path, rest) = Self.parsePrefix(Array(text.utf8)[...]), rest.isEmpty else { return nil }
        self = path
    }

    /// Reads a path at the start of `bytes` and gives back what follows it.
    public static func parsePrefix(
        _ bytes: ArraySlice<UInt8>, _ conversion: DomainNameConversion = .none
    ) -> (path: ForwardPath, rest: ArraySlice<UInt8>)? {
        var scanner = PathScanner(bytes, conversion)
        let postmaster = Array("<postmaster>".utf8)
        if bytes.prefix(12).map({ (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }) == postmaster {
            return (.postmaster, bytes.dropFirst(12))
        }
        guard scanner.take("<"), let route = scanner.sourceRoute(), let mailbox = scanner.mailbox(), scanner.take(">")
        else { return nil }
        return (route.isEmpty ? .mailbox(mailbox) : .sourceRouted(mailbox, via: route), scanner.remainder)
    }

    /// The mailbox without its route; `nil` for the bare postmaster.
    public var mailbox: Mailbox? {
        switch self {
        case .postmaster: nil
        case .mailbox(let mailbox), .sourceRouted(let mailbox, _): mailbox
        }
    }

    /// Whether only a host with SMTPUTF8 can be told it.
    public var isInternational: Bool { self.mailbox?.isInternational ?? false }
}

extension ReversePath: CustomStringConvertible {
    /// The path with its angle brackets.
    public var description: String {
        switch self {
        case .null: "<>"
        case .mailbox(let mailbox): "<\(mailbox)>"
        }
    }
}

extension ForwardPath: CustomStringConvertible {
    /// The path with its angle brackets and without a source route.
    public var description: String { self.mailbox.map { "<\($0)>" } ?? "<Postmaster>" }
}
