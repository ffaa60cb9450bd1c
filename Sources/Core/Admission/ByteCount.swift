/// A number of bytes.
public struct ByteCount: Hashable, Comparable, Sendable {
    public let bytes: Int

    public init(_ bytes: Int) { self.bytes = bytes }

    /// Multiples of 1,048,576 bytes.
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(count << 20) }

    private static let units: [(name: String, size: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// Reads a whole number, alone or with `KiB`, `MiB` or `GiB`: `50MiB`. Decimal units are refused as ambiguous.
    public init?(_ text: some StringProtocol) {
        let unit = Self.units.first { text.hasSuffix($0.name) }
        let digits = text.dropLast(unit?.name.count ?? 0)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits)
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.size ?? 1)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    public static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }
}

extension ByteCount: CustomStringConvertible {
    public var description: String {
        let unit = Self.units.first { self.bytes > 0 && self.bytes % $0.size == 0 }
        return unit.map { "\(self.bytes / $0.size)\($0.name)" } ?? String(self.bytes)
    }
}
