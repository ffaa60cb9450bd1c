/// The limits of what is stored. What is larger is refused as a whole, with `.unfit`.
public enum ControlLimits {
    /// The most bytes of a resource: a part of a recipient list has 1 MiB, and what is around it some more.
    public static let resourceBytes = 1024 * 1024 + 64 * 1024
    /// The most bytes of the sealed part of a resource.
    public static let secretBytes = 64 * 1024
    /// The most resources of one write.
    public static let resourcesInWrite = 1000
    /// The most bytes of one write.
    public static let writeBytes = 64 * 1024 * 1024
    /// The most rows that a page has. One more is given if it is asked for, so that a caller sees whether another page follows.
    public static let pageRows = 1000
    /// The most bytes of a certificate.
    public static let certificateBytes = 16 * 1024
    /// The most bytes of the name of a resource.
    public static let nameBytes = 300
    /// The most bytes of each of actor, action and object in the audit.
    public static let auditNameBytes = 600
    /// The most bytes of what was, and of what came, in the audit.
    public static let auditContentBytes = 64 * 1024
    /// The most bytes of a reason in the audit.
    public static let auditReasonBytes = 1000
    /// The most resources that one node serves.
    public static let servedResources = 100_000
    /// The most uses of a token.
    public static let tokenUses = 100_000
    /// The time for which a node of a name must not have been seen, before a wildcard token gives the name to another key.
    public static let quietBeforeReplacement = Duration.seconds(120)

    /// How many rows are given of so many that were asked for.
    static func rows(_ limit: Int) -> Int64 { Int64(max(0, min(limit, Self.pageRows + 1))) }

    /// Throws for what is larger than its limit.
    static func check(_ count: Int, atMost limit: Int, _ what: String) throws(ControlStoreError) {
        guard count <= limit else { throw ControlStoreError(.unfit, "\(what): \(count) is more than \(limit)") }
    }
}
