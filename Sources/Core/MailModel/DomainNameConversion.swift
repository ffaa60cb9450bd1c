/// How U-labels become A-labels where addresses are read (RFC 6531 §3.3). The tables for that are no part of this
/// layer, so whoever reads addresses is given the conversion.
public struct DomainNameConversion: Sendable {
    /// Knows no U-labels: only names of A-labels are domain names.
    public static let none = DomainNameConversion(identifier: "none") { _ in nil }

    /// Tells one conversion from another, which functions cannot.
    public let identifier: String
    private let convert: @Sendable (String) -> DomainName?

    /// A conversion of names that are not ASCII; `nil` for what is no name.
    public init(identifier: String, _ convert: @escaping @Sendable (String) -> DomainName?) {
        self.identifier = identifier
        self.convert = convert
    }

    /// The name of these bytes; only one that is not ASCII is converted.
    func name(_ bytes: ArraySlice<UInt8>) -> DomainName? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        return bytes.allSatisfy { $0 < 0x80 } ? DomainName(text) : self.convert(text)
    }
}

extension DomainNameConversion: Hashable {
    public static func == (left: Self, right: Self) -> Bool { left.identifier == right.identifier }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.identifier) }
}
