import Foundation
import MailModel
import PostgresDriver

extension MessageID {
    var uuid: PostgresUUID { PostgresUUID(high: self.high, low: self.low) }
    init(_ uuid: PostgresUUID) { self.init(high: uuid.high, low: uuid.low) }
}

extension Timestamp {
    var stored: PostgresTimestamp { PostgresTimestamp(microseconds: self.microseconds) }
    init(_ stored: PostgresTimestamp) { self.init(microseconds: stored.microseconds) }
}

extension Duration {
    /// Seconds for SQL's `make_interval`-free arithmetic: microseconds as a number.
    var storedMicroseconds: Int64 { self.wholeMicroseconds }
}

/// JSON of the small values that are stored as such.
enum StoredJSON {
    static func encode(_ value: some Encodable) -> String {
        // Encoding structs of strings and truth values cannot fail.
        guard let data = try? JSONEncoder().encode(value) else { return "null" }
        return String(decoding: data, as: UTF8.self).storable
    }

    static func decode<Value: Decodable>(_ text: String, as type: Value.Type) throws(QueueStoreError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw QueueStoreError(.unreadable, "a stored \(type) cannot be read: \(error)")
        }
    }
}

extension QueryResult.Row {
    func domain(_ column: Int) throws(QueueStoreError) -> DomainName {
        let text: String = try self.value(column)
        guard let name = DomainName(text) else { throw QueueStoreError(.unreadable, "a stored domain is no name") }
        return name
    }

    /// A cell, with the store's own error.
    func value<Value: PostgresDecodable>(
        _ column: Int, as type: Value.Type = Value.self
    ) throws(QueueStoreError) -> Value {
        do throws(PostgresError) {
            return try self.get(column)
        } catch {
            throw QueueStoreError(error)
        }
    }
}
