import CNGHTTP2

/// A header list as nghttp2 takes it: one run of bytes, and where each name and value stands in it.
struct FieldBytes {
    private var bytes: [UInt8] = []
    private var places: [(name: Range<Int>, value: Range<Int>, isSensitive: Bool)] = []

    /// Names whose values no table may keep, ours or the peer's (control 30).
    private static let sensitive: Set<String> = ["authorization", "proxy-authorization", "cookie", "set-cookie"]

    init(_ list: HeaderList) {
        for field in list.fields {
            let start = self.bytes.count
            self.bytes += field.name.utf8
            let middle = self.bytes.count
            self.bytes += field.value.utf8
            let isSensitive = Self.sensitive.contains(field.name) || field.name.hasSuffix("-token")
            self.places.append((start..<middle, middle..<self.bytes.count, isSensitive))
        }
    }

    /// Lends the list for one call, which copies it.
    @unsafe mutating func with<Result>(_ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result) -> Result {
        let places = self.places
        return unsafe self.bytes.withUnsafeMutableBufferPointer { bytes in
            // Without a byte there is no base, and no field either.
            guard let base = bytes.baseAddress else { return body(nil, 0) }
            let fields = unsafe places.map { place in
                unsafe nghttp2_nv(
                    name: base + place.name.lowerBound, value: base + place.value.lowerBound,
                    namelen: place.name.count, valuelen: place.value.count,
                    flags: UInt8(place.isSensitive ? NGHTTP2_NV_FLAG_NO_INDEX.rawValue : 0))
            }
            return unsafe fields.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
        }
    }
}
