import CIDN2
public import MailModel

extension DomainName {
    /// Reads a domain name as people write it, U-labels included, and turns it into A-labels once. It follows IDNA2008
    /// (RFC 5891 §5) after the non-transitional mapping of UTS 46, so `ß` stays itself.
    ///
    /// What IDNA2008 does not allow, such as emoji, becomes the A-labels that IDNA2003 would give it. Such names are
    /// registered, and everybody else finds them.
    ///
    /// A-labels that come in must be the ones their U-labels give. Labels are letters, digits, hyphens and, for
    /// service names, underscores; anything else that libidn2 lets pass in ASCII is refused here.
    ///
    /// - Throws: `InternationalDomainError` with libidn2's reason when the text is no domain name.
    public init(unicode text: String) throws(InternationalDomainError) {
        // A NUL would end the text for C, and what no name can hold need not be mapped at all.
        guard !text.utf8.contains(0), (1...1024).contains(text.utf8.count) else {
            throw InternationalDomainError(
                text: String(text.prefix(256)), reason: "it is empty, too long, or has a NUL")
        }
        let labels = try Self.aLabels(text)
        guard let name = DomainName(labels) else {
            throw InternationalDomainError(text: text, reason: "not labels of letters, digits and hyphens")
        }
        self = name
    }

    private static func aLabels(_ text: String) throws(InternationalDomainError) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }), !text.lowercased().contains("xn--") { return text }
        let (status, labels) = self.convert(text, IDN2_NONTRANSITIONAL)
        if let labels { return labels }
        // Transitional processing would make another name of a text with these, and perhaps somebody else's.
        if status == IDN2_DISALLOWED.rawValue, !text.unicodeScalars.contains(where: Self.deviations.contains),
            let labels = self.convert(text, IDN2_TRANSITIONAL).labels
        {
            return labels
        }
        // The texts of errors are constants of the library.
        throw InternationalDomainError(text: text, reason: unsafe String(cString: idn2_strerror(status)))
    }

    /// The characters that transitional and other processing read differently (UTS 46 §6): ß, its capital, final sigma, and the
    /// joiners.
    private static let deviations: Set<Unicode.Scalar> = ["\u{DF}", "\u{1E9E}", "\u{3C2}", "\u{200C}", "\u{200D}"]

    private static func convert(_ text: String, _ processing: idn2_flags) -> (status: Int32, labels: String?) {
        var output: UnsafeMutablePointer<CChar>?
        let flags = Int32(processing.rawValue | IDN2_NFC_INPUT.rawValue)
        // libidn2 reads the NUL-terminated text, and gives a text of its own that is freed below.
        let status = unsafe idn2_to_ascii_8z(text, &output, flags)
        defer { unsafe idn2_free(output) }
        guard status == IDN2_OK.rawValue, let result = unsafe output else { return (status, nil) }
        return unsafe (status, String(cString: result))
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
