/// The rows that a statement gave back, and how many it touched.
public struct QueryResult: Sendable {
    /// Where a cell's bytes are; `nil` is NULL.
    typealias Cell = Range<Int>?

    /// The type of each column.
    let types: [PostgresType]
    let cells: [Cell]
    let storage: [UInt8]
    /// The rows inserted, updated, deleted or selected.
    public let affectedRows: Int
    /// The number of rows given back.
    public let count: Int

    /// The rows, in the server's order.
    public var rows: some RandomAccessCollection<Row> & Sendable {
        (0..<self.count).lazy.map { Row(result: self, index: $0) }
    }

    /// The only row; throws if there is another number of them.
    public func single() throws(PostgresError) -> Row {
        guard self.count == 1 else { throw PostgresError(.badValue, "expected one row, got \(self.count)") }
        return Row(result: self, index: 0)
    }

    /// One row.
    public struct Row: Sendable {
        let result: QueryResult
        let index: Int

        /// The column of that number, counted from 0, as the type wanted. An `Optional` type takes NULL.
        public func get<Value: PostgresDecodable>(
            _ column: Int, as type: Value.Type = Value.self
        ) throws(PostgresError) -> Value {
            let types = self.result.types
            guard types.indices.contains(column) else {
                throw PostgresError(.badValue, "there is no column \(column)")
            }
            let cell = self.result.cells[self.index * types.count + column]
            guard types[column].isReadable(as: Value.columnType),
                let value = Value(postgres: cell.map { self.result.storage[$0] })
            else {
                throw PostgresError(.badValue, "column \(column) is no \(Value.self)")
            }
            return value
        }
    }
}

/// A value that can be read from a column in binary form.
public protocol PostgresDecodable: Sendable {
    /// The type of column that it is read from.
    static var columnType: PostgresType { get }
    /// `nil` bytes are NULL; the initialiser fails when they are not of this type.
    init?(postgres bytes: ArraySlice<UInt8>?)
}

extension PostgresDecodable where Self: PostgresEncodable {
    public static var columnType: PostgresType { Self.postgresType }
}

extension PostgresType {
    /// varchar, bpchar, name, json and unknown, whose binary form is that of text.
    private static let textual: Set<UInt32> = [1043, 1042, 19, 114, 705]

    fileprivate func isReadable(as wanted: PostgresType) -> Bool {
        self == wanted || (wanted == .text && Self.textual.contains(self.rawValue))
    }
}

extension FixedWidthInteger {
    fileprivate init?(bigEndianBytes bytes: ArraySlice<UInt8>?) {
        guard let bytes, bytes.count == Self.bitWidth / 8 else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }
}

extension Int16: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) { self.init(bigEndianBytes: bytes) }
}

extension Int32: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) { self.init(bigEndianBytes: bytes) }
}

extension Int64: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) { self.init(bigEndianBytes: bytes) }
}

extension Bool: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) {
        guard let bytes, bytes.count == 1, let byte = bytes.first else { return nil }
        self = byte != 0
    }
}

extension String: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) {
        guard let bytes else { return nil }
        self.init(decoding: bytes, as: UTF8.self)
    }
}

extension PostgresBytes: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) {
        guard let bytes else { return nil }
        self.init(Array(bytes))
    }
}

extension PostgresTimestamp: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) {
        guard let since2000 = Int64(bigEndianBytes: bytes) else { return nil }
        let (sum, overflow) = since2000.addingReportingOverflow(Self.epochOffset)
        self.init(microseconds: overflow ? .max : sum)
    }
}

extension PostgresUUID: PostgresDecodable {
    public init?(postgres bytes: ArraySlice<UInt8>?) {
        guard let bytes, bytes.count == 16, let high = UInt64(bigEndianBytes: bytes.prefix(8)),
            let low = UInt64(bigEndianBytes: bytes.suffix(8))
        else { return nil }
        self.init(high: high, low: low)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public static var columnType: PostgresType { Wrapped.columnType }
    public init?(postgres bytes: ArraySlice<UInt8>?) {
        guard let bytes else {
            self = .none
            return
        }
        guard let value = Wrapped(postgres: bytes) else { return nil }
        self = .some(value)
    }
}
