/// The types of what a node serves by.
public enum ResourceType: Int16, Hashable, CaseIterable, Sendable {
    /// A domain whose mail is taken from anyone.
    case domain = 1
    /// Some of the local parts that exist in a domain.
    case recipientListPart
    /// A user that may relay after AUTH.
    case user
    /// A certificate that nodes show to SMTP clients.
    case certificate
    /// What all nodes share.
    case settings
}

/// Names one resource: its type, and a name that is unique in the type.
///
/// Names are compared byte by byte, as the database does it. Two that only look the same are two.
public struct ResourceKey: Sendable {
    /// What it is.
    public let type: ResourceType
    /// Its name, as the type says.
    public let name: String

    /// Names a resource.
    public init(type: ResourceType, name: String) {
        self.type = type
        self.name = name
    }
}

extension ResourceKey: Hashable, Comparable {
    public static func == (left: Self, right: Self) -> Bool {
        left.type == right.type && left.name.utf8.elementsEqual(right.name.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.type)
        for byte in self.name.utf8 { hasher.combine(byte) }
    }

    /// By type and then by name.
    public static func < (left: Self, right: Self) -> Bool {
        guard left.type == right.type else { return left.type.rawValue < right.type.rawValue }
        return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
}

extension ResourceKey: CustomStringConvertible {
    /// Such as `domain/contoso.test`.
    public var description: String { "\(self.type)/\(self.name)" }
}

/// The version of each resource of a state. The database numbers versions, so they mean the same at every replica, and
/// a later version of a resource is greater.
public typealias ResourceVersions = [ResourceKey: UInt64]
