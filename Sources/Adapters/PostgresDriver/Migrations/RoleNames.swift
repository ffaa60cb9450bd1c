/// What the names of the group roles of a schema may begin with. Roles belong to the whole server: two installations on one
/// server whose logins must not reach the other have names of their own.
public enum RoleNames {
    /// The most bytes of a prefix.
    public static let maximumPrefixLength = 40

    /// Whether names may begin with it: a lower-case letter and up to 39 lower-case letters, digits and underscores, since
    /// it stands unquoted in statements, and none of the endings of names in it.
    public static func isPrefix(_ prefix: String, endings: [String]) -> Bool {
        let bytes = Array(prefix.utf8)
        guard let first = bytes.first, bytes.count <= Self.maximumPrefixLength else { return false }
        return Self.isLetter(first)
            && bytes.allSatisfy { Self.isLetter($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_") }
            && !prefix.hasPrefix("pg_") && !endings.contains { prefix.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) }
}
