public import MailModel

/// Which names a rule of the operator's is about: one, or all below one (`*.example.org`). They are mail exchangers in
/// rules about sites, and recipient domains in rules about retrying.
public struct DomainPattern: Hashable, Sendable, CustomStringConvertible {
    /// The name, or the one above those that are meant.
    public let name: DomainName
    /// All below the name are meant, and not the name itself.
    public let isWildcard: Bool

    /// Reads `example.org` or `*.example.org`.
    public init?(_ text: String, domainName: (String) -> DomainName?) {
        self.isWildcard = text.hasPrefix("*.")
        guard let name = domainName(self.isWildcard ? String(text.dropFirst(2)) : text) else { return nil }
        self.name = name
    }

    /// One name.
    public init(_ name: DomainName) {
        self.isWildcard = false
        self.name = name
    }

    /// Whether the rule is about this name; the name itself is not below it.
    public func matches(_ name: DomainName) -> Bool {
        self.isWildcard ? name.text.hasSuffix("." + self.name.text) : name == self.name
    }

    /// Whether it is about every name that the other one is about. Two patterns have names in common only if one covers the other.
    public func covers(_ other: DomainPattern) -> Bool {
        guard self.isWildcard else { return self == other }
        return self.matches(other.name) || other.isWildcard && other.name == self.name
    }

    public var description: String { self.isWildcard ? "*.\(self.name)" : "\(self.name)" }
}

/// What holds for the names of a pattern.
public struct PatternRule<Value: Hashable & Sendable>: Hashable, Sendable {
    /// Which names.
    public let pattern: DomainPattern
    /// What holds for them.
    public let value: Value

    /// A rule.
    public init(_ pattern: DomainPattern, _ value: Value) {
        self.pattern = pattern
        self.value = value
    }
}

extension Sequence {
    /// What holds for a name: of several rules about it, the first counts.
    public func first<Value>(about name: DomainName) -> Value? where Element == PatternRule<Value> {
        self.first { $0.pattern.matches(name) }?.value
    }
}
