/// The object identifier of a built-in type, as in `pg_type`.
public struct PostgresType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let bool = PostgresType(rawValue: 16)
    public static let bytea = PostgresType(rawValue: 17)
    public static let int8 = PostgresType(rawValue: 20)
    public static let int2 = PostgresType(rawValue: 21)
    public static let int4 = PostgresType(rawValue: 23)
    public static let text = PostgresType(rawValue: 25)
    public static let timestamptz = PostgresType(rawValue: 1184)
    public static let uuid = PostgresType(rawValue: 2950)
}

/// A value that can be a parameter. Everything travels in PostgreSQL's binary format, in network byte order.
public protocol PostgresEncodable: Sendable {
    /// The parameter's type.
    static var postgresType: PostgresType { get }
    /// Whether it is SQL's NULL; then `encode` is not called.
    var isNull: Bool { get }
    /// Appends the binary form.
    func encode(into bytes: inout [UInt8])
}

extension PostgresEncodable {
    public var isNull: Bool { false }
}

/// A value that can also stand in an array.
public protocol PostgresArrayElement: PostgresEncodable {
    /// The type of an array of these.
    static var postgresArrayType: PostgresType { get }
    /// Appends the binary form of an array. Each type has its own, so that nothing is looked up for each element.
    static func encode(array: [Self], into bytes: inout [UInt8])
    /// The same, where `nil` is NULL.
    static func encode(arrayWithNulls array: [Self?], into bytes: inout [UInt8])
}

extension PostgresArrayElement {
    public static func encode(array: [Self], into bytes: inout [UInt8]) {
        appendHead(of: Self.postgresType, array.count, hasNulls: array.contains { $0.isNull }, to: &bytes)
        for element in array { appendSized(element, to: &bytes) }
    }

    public static func encode(arrayWithNulls array: [Self?], into bytes: inout [UInt8]) {
        appendHead(of: Self.postgresType, array.count, hasNulls: array.contains { $0?.isNull ?? true }, to: &bytes)
        for element in array {
            if let element { appendSized(element, to: &bytes) } else { appendNull(to: &bytes) }
        }
    }
}

extension FixedWidthInteger {
    /// Appends the number in network byte order.
    func appendBigEndian(to bytes: inout [UInt8]) {
        var shift = Self.bitWidth
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: self >> shift))
        }
    }
}

extension Int16: PostgresArrayElement {
    public static var postgresType: PostgresType { .int2 }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1005) }
    public func encode(into bytes: inout [UInt8]) { self.appendBigEndian(to: &bytes) }
}

extension Int32: PostgresArrayElement {
    public static var postgresType: PostgresType { .int4 }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1007) }
    public func encode(into bytes: inout [UInt8]) { self.appendBigEndian(to: &bytes) }
}

extension Int64: PostgresArrayElement {
    public static var postgresType: PostgresType { .int8 }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1016) }
    public func encode(into bytes: inout [UInt8]) { self.appendBigEndian(to: &bytes) }
}

extension Bool: PostgresArrayElement {
    public static var postgresType: PostgresType { .bool }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1000) }
    public func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
}

extension String: PostgresArrayElement {
    public static var postgresType: PostgresType { .text }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1009) }
    public func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: self.utf8) }
}

/// A `bytea`.
public struct PostgresBytes: PostgresArrayElement, Hashable {
    /// The content.
    public var bytes: [UInt8]
    /// Wraps bytes, so that they are not taken for an array of numbers.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public static var postgresType: PostgresType { .bytea }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1001) }
    public func encode(into bytes: inout [UInt8]) {
        // Large values are shared, not copied.
        if bytes.isEmpty {
            bytes = self.bytes
        } else {
            bytes.append(contentsOf: self.bytes)
        }
    }
}

/// A `timestamptz`: microseconds since 1970 UTC. PostgreSQL itself counts from the year 2000.
public struct PostgresTimestamp: PostgresArrayElement, Hashable {
    /// Microseconds from 1970 to 2000.
    static let epochOffset: Int64 = 946_684_800 * 1_000_000
    /// Microseconds since 1970 UTC.
    public var microseconds: Int64
    /// A moment in microseconds since 1970 UTC.
    public init(microseconds: Int64) { self.microseconds = microseconds }
    public static var postgresType: PostgresType { .timestamptz }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 1185) }
    public func encode(into bytes: inout [UInt8]) {
        let (since2000, overflow) = self.microseconds.subtractingReportingOverflow(Self.epochOffset)
        // The ends of the range stand for minus infinity and infinity, which is what an overflow means.
        (overflow ? Int64.min : since2000).appendBigEndian(to: &bytes)
    }
}

/// A `uuid`, or any other 128 bits.
public struct PostgresUUID: PostgresArrayElement, Hashable {
    /// The first eight bytes.
    public var high: UInt64
    /// The last eight bytes.
    public var low: UInt64
    /// The two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    public static var postgresType: PostgresType { .uuid }
    public static var postgresArrayType: PostgresType { PostgresType(rawValue: 2951) }
    public func encode(into bytes: inout [UInt8]) {
        self.high.appendBigEndian(to: &bytes)
        self.low.appendBigEndian(to: &bytes)
    }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    public static var postgresType: PostgresType { Wrapped.postgresType }
    public var isNull: Bool { self?.isNull ?? true }
    public func encode(into bytes: inout [UInt8]) { self?.encode(into: &bytes) }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
    public static func encode(array: [Self], into bytes: inout [UInt8]) {
        Wrapped.encode(arrayWithNulls: array, into: &bytes)
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    public static var postgresType: PostgresType { Element.postgresArrayType }
    public func encode(into bytes: inout [UInt8]) { Element.encode(array: self, into: &bytes) }
}

/// Appends what comes before the elements of an array: dimensions, whether there are NULLs, the type, and the only dimension.
private func appendHead(of type: PostgresType, _ count: Int, hasNulls: Bool, to bytes: inout [UInt8]) {
    Int32(count == 0 ? 0 : 1).appendBigEndian(to: &bytes)
    Int32(hasNulls ? 1 : 0).appendBigEndian(to: &bytes)
    type.rawValue.appendBigEndian(to: &bytes)
    guard count > 0 else { return }
    Int32(truncatingIfNeeded: count).appendBigEndian(to: &bytes)
    Int32(1).appendBigEndian(to: &bytes)
}

/// NULL has the length -1.
private func appendNull(to bytes: inout [UInt8]) { Int32(-1).appendBigEndian(to: &bytes) }

/// Appends an element with its length in front.
private func appendSized(_ element: some PostgresEncodable, to bytes: inout [UInt8]) {
    guard !element.isNull else { return appendNull(to: &bytes) }
    let start = bytes.count
    Int32(0).appendBigEndian(to: &bytes)
    element.encode(into: &bytes)
    let length = UInt32(truncatingIfNeeded: bytes.count - start - 4)
    for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * index)) }
}
