/// One numbered change of a schema. A released one is never edited; the next one is added.
public struct Migration: Hashable, Sendable {
    /// Its number; a schema's first one is 1.
    public let version: Int32
    /// What it is about.
    public let name: String
    /// The version that a program must at least make to work with the schema from this change on. 0 where the change only adds:
    /// programs of the version before then go on beside those of this one.
    public let leastProgram: Int32
    /// Its statements, which may be many.
    public let sql: String

    /// A change.
    public init(version: Int32, name: String, leastProgram: Int32 = 0, sql: String) {
        self.version = version
        self.name = name
        self.leastProgram = leastProgram
        self.sql = sql
    }

    /// How it is told to people, such as `9 (site wait)`.
    public var title: String { "\(self.version) (\(self.name))" }
}
