import NIOCore

/// Finds the frames in a peer's bytes, however these are cut, so that budgets see each of them before the library does (control 24): it
/// tells of neither unknown types nor what it has decided to ignore.
struct FrameScanner: Hashable, Sendable {
    private static let headerBytes = 9

    /// Bytes to skip: of the preface, or of the payload of a frame.
    private var skip: Int
    private var header: [UInt8] = []

    /// - Parameter preface: the bytes before the first frame.
    init(preface: Int) { self.skip = preface }

    /// Tells each frame that begins in `bytes`. Gives where the first one stands that `visit` refuses; nothing is scanned behind it.
    mutating func scan(_ bytes: ByteBufferView, visit: (FrameHeader) -> Bool) -> ByteBufferView.Index? {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let skipped = min(self.skip, bytes.endIndex - index)
            self.skip -= skipped
            index += skipped
            let missing = Self.headerBytes - self.header.count
            let part = bytes[index..<min(index + missing, bytes.endIndex)]
            self.header += part
            guard self.header.count == Self.headerBytes else { return nil }
            index = part.endIndex
            let length = Int(self.header[0]) << 16 | Int(self.header[1]) << 8 | Int(self.header[2])
            let frame = FrameHeader(type: self.header[3], flags: self.header[4], length: length)
            self.header.removeAll(keepingCapacity: true)
            self.skip = length
            // A header that came in two parts began before these bytes.
            if !visit(frame) { return max(bytes.startIndex, index - Self.headerBytes) }
        }
        return nil
    }
}
