/// Mail for an address literal, `user@[192.0.2.1]`, is stored and sent like mail for a domain. This is the name of that domain: one
/// below `invalid`, which no DNS has (RFC 6761 §6.4). Nobody can write to the name itself: it is refused in RCPT, and no report
/// goes to a sender who states it.
extension DomainName {
    private static let literalSuffix = ".address-literal.invalid"

    /// The name under which mail for this address is stored, such as `192-0-2-1.address-literal.invalid`.
    public init(literal address: IPAddress) {
        let bytes = address.unmapped.bytes
        let groups =
            bytes.count == 4
            ? bytes.map { "\($0)" }
            : stride(from: 0, to: bytes.count, by: 2).map {
                String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
            }
        self.text = groups.joined(separator: "-") + Self.literalSuffix
    }

    /// The address that the name stands for; `nil` for any other name.
    public var literalAddress: IPAddress? {
        guard self.text.hasSuffix(Self.literalSuffix) else { return nil }
        let groups = self.text.dropLast(Self.literalSuffix.utf8.count).split(
            separator: "-", omittingEmptySubsequences: false)
        guard let address = IPAddress(groups.joined(separator: groups.count == 4 ? "." : ":")),
            DomainName(literal: address) == self
        else { return nil }
        return address
    }

    /// Whether it can stand for an address literal only, or for nothing.
    public var isOfLiterals: Bool { ".\(self.text)".hasSuffix(Self.literalSuffix) }
}

extension Mailbox {
    /// The domain under which mail for it is stored.
    public var queueDomain: DomainName {
        switch self.domain {
        case .name(let name): name
        case .literal(let address): DomainName(literal: address)
        }
    }
}
