/// What the sender wants to hear of one recipient: NOTIFY= (RFC 3461 §4.1). Empty is `NEVER`.
///
/// A sender that says nothing (`nil` wherever this is optional) hears of failures, and of delays as we see fit.
public struct NotifyConditions: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// When it was delivered, or handed to a host that does not promise to tell.
    public static let success = NotifyConditions(rawValue: 1)
    /// When it was given up.
    public static let failure = NotifyConditions(rawValue: 2)
    /// When it is late.
    public static let delay = NotifyConditions(rawValue: 4)
    /// `NEVER`.
    public static let never: NotifyConditions = []

    private static let keywords: [(NotifyConditions, String)] = [
        (.success, "SUCCESS"), (.failure, "FAILURE"), (.delay, "DELAY"),
    ]

    /// Reads the value of NOTIFY=, in any case; NEVER stands alone, and nothing may stand twice.
    public init?(_ text: some StringProtocol) {
        if text.uppercased() == "NEVER" {
            self = .never
            return
        }
        var conditions: NotifyConditions = []
        for word in text.uppercased().split(separator: ",", omittingEmptySubsequences: false) {
            guard let condition = Self.keywords.first(where: { $0.1 == word })?.0,
                conditions.insert(condition).inserted
            else { return nil }
        }
        self = conditions
    }
}

extension NotifyConditions: CustomStringConvertible {
    /// The value of NOTIFY=.
    public var description: String {
        let words = Self.keywords.filter { self.contains($0.0) }.map(\.1)
        return words.isEmpty ? "NEVER" : words.joined(separator: ",")
    }
}

/// The recipient as the sender first named it: ORCPT= (RFC 3461 §4.2, RFC 6533 §3).
public struct OriginalRecipient: Hashable, Sendable {
    /// The most bytes of a value on the wire (§5.4 obliges us to take 500).
    public static let maximumLength = 500

    /// `rfc822`, `utf-8` or another registered type, in lower case.
    public let addressType: String
    /// The address, decoded: printable ASCII, for `utf-8` in the form `\x{HHHH}` where it is not ASCII.
    public let address: String

    /// Reads `addr-type ";" xtext`. The address of type `utf-8` may be UTF-8 as it is (`utf-8-addr-unitext`, which
    /// takes SMTPUTF8). It is then kept in the form that any host can be given.
    public init?(_ text: some StringProtocol) {
        let halves = text.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.maximumLength, halves.count == 2, !halves[0].isEmpty,
            halves[0].utf8.allSatisfy({ Self.isTypeText($0) })
        else { return nil }
        let addressType = halves[0].lowercased()
        let value = addressType == "utf-8" ? Self.embedded(halves[1]) : String(halves[1])
        if let address = XText.decode(value) {
            (self.addressType, self.address) = (addressType, address)
        } else if addressType == "rfc822", let address = XText.decodeUnicode(value) {
            // Postfix 3.7 says addresses in UTF-8 so. They have a type of their own, and go on under that.
            (self.addressType, self.address) = ("utf-8", EmbeddedUnicode.escape(address))
        } else {
            return nil
        }
        guard self.addressType != "utf-8" || EmbeddedUnicode.isValid(self.address) else { return nil }
        // What is kept must be readable again, and is longer where it stood for itself.
        guard self.description.utf8.count <= Self.maximumLength else { return nil }
    }

    /// What is not ASCII as `\x{HHHH}` (`EmbeddedUnicodeChar`, RFC 6533 §3).
    private static func embedded(_ text: some StringProtocol) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            if scalar.isASCII {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\x{\(String(scalar.value, radix: 16, uppercase: true))}"
            }
        }
    }

    private static func isTypeText(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "-")
    }
}

extension OriginalRecipient: CustomStringConvertible {
    /// The value of ORCPT= on the wire.
    public var description: String { "\(self.addressType);\(XText.encode(self.address))" }
}

/// How much of a message its failure report returns: RET= (RFC 3461 §4.3).
public enum ReturnContent: String, Hashable, Sendable, Codable {
    /// The whole message, where it is small enough.
    case full = "FULL"
    /// Its header section.
    case headers = "HDRS"
}

/// One recipient with what the sender asked about it.
public struct EnvelopeRecipient: Hashable, Sendable {
    /// Where the mail goes.
    public var path: ForwardPath
    /// NOTIFY=, where given.
    public var notify: NotifyConditions?
    /// ORCPT=, where given.
    public var originalRecipient: OriginalRecipient?

    /// A recipient.
    public init(_ path: ForwardPath, notify: NotifyConditions? = nil, originalRecipient: OriginalRecipient? = nil) {
        self.path = path
        self.notify = notify
        self.originalRecipient = originalRecipient
    }
}
