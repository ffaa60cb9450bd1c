import ClusterModel
import MailModel
import PostgresDriver

extension Timestamp {
    var stored: PostgresTimestamp { PostgresTimestamp(microseconds: self.microseconds) }
    init(_ stored: PostgresTimestamp) { self.init(microseconds: stored.microseconds) }
}

extension Array where Element == UInt8 {
    var stored: PostgresBytes { PostgresBytes(self) }
}

extension UInt64 {
    /// Versions count from 1 and never come near the end of what the database's numbers hold.
    var stored: Int64 { Int64(clamping: self) }
}

extension PostgresUUID {
    /// Tells one request, or one run, from all others.
    static func random() -> PostgresUUID {
        var generator = SystemRandomNumberGenerator()
        return PostgresUUID(high: generator.next(), low: generator.next())
    }
}

extension QueryResult.Row {
    /// A cell, with the store's own error.
    func value<Value: PostgresDecodable>(
        _ column: Int, as type: Value.Type = Value.self
    ) throws(ControlStoreError) -> Value {
        do throws(PostgresError) {
            return try self.get(column)
        } catch {
            throw ControlStoreError(error)
        }
    }

    func bytes(_ column: Int) throws(ControlStoreError) -> [UInt8] {
        try self.value(column, as: PostgresBytes.self).bytes
    }

    func moment(_ column: Int) throws(ControlStoreError) -> Timestamp {
        Timestamp(try self.value(column, as: PostgresTimestamp.self))
    }

    func version(_ column: Int) throws(ControlStoreError) -> UInt64 {
        UInt64(clamping: try self.value(column, as: Int64.self))
    }

    /// The key of a resource, from its type and its name in the next column.
    func resourceKey(_ column: Int) throws(ControlStoreError) -> ResourceKey {
        guard let type = ResourceType(rawValue: try self.value(column)) else {
            throw ControlStoreError(.schemaNewer, "a stored resource is of a type that this program does not know")
        }
        return ResourceKey(type: type, name: try self.value(column + 1))
    }
}
