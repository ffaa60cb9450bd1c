/// Why content is refused at its end; the first fault counts.
public enum SMTPContentFault: Hashable, Sendable {
    /// A CR without LF or an LF without CR.
    case bareLineEnd
    /// A NUL byte.
    case nul
    /// A line over the limit.
    case lineTooLong
    /// More bytes than the limit.
    case tooLarge
}

/// Measures content as it is put out, and stops putting it out at the first fault: the same rule for DATA and BDAT.
struct SMTPContentGauge: Hashable, Sendable {
    private static let lineEnd: [UInt8] = [0x0d, 0x0a]

    private let lineLimit: Int
    private let sizeLimit: Int
    private var lineLength = 0
    /// The bytes of content so far, counted on after a fault too.
    private(set) var size = 0
    /// The first fault.
    private(set) var fault: SMTPContentFault?

    /// Lines of at most `lineLimit` bytes without CRLF, and at most `sizeLimit` bytes in all.
    init(lineLimit: Int, sizeLimit: Int) {
        self.lineLimit = lineLimit
        self.sizeLimit = sizeLimit
    }

    /// Puts out a part of a line.
    mutating func text(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        // One run may pass both limits: that counts which it would have passed first byte by byte, however it was cut.
        let lineRest = self.lineLimit - self.lineLength
        self.lineLength += bytes.count
        if bytes.count > lineRest, lineRest <= self.sizeLimit - self.size { self.fail(.lineTooLong) }
        self.put(bytes, to: &output)
    }

    /// Puts out a CRLF.
    mutating func endLine(to output: inout [UInt8]) {
        self.lineLength = 0
        self.put(Self.lineEnd, to: &output)
    }

    mutating func fail(_ fault: SMTPContentFault) {
        if self.fault == nil { self.fault = fault }
    }

    private mutating func put(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        self.size += bytes.count
        if self.size > self.sizeLimit { self.fail(.tooLarge) }
        if self.fault == nil { output.append(contentsOf: bytes) }
    }
}
