import SMTPProtocol
import Testing

@Suite("Limits of content")
struct SMTPContentLimitTests {
    private struct Limits: Sendable, CustomTestStringConvertible {
        let line: Int
        let size: Int
        let fault: SMTPContentFault

        var testDescription: String { "lines of \(self.line), \(self.size) in all" }
    }

    private static let limits = [
        Limits(line: 20, size: 30, fault: .lineTooLong), Limits(line: 30, size: 20, fault: .tooLarge),
        Limits(line: 20, size: 20, fault: .lineTooLong), Limits(line: 59, size: 60, fault: .lineTooLong),
        Limits(line: 60, size: 59, fault: .tooLarge),
    ]

    @Test(
        "Of two limits that one line passes the one that it passes first is told, however the line is cut",
        arguments: limits)
    private func firstLimit(_ limits: Limits) {
        let line = [UInt8](repeating: UInt8(ascii: "a"), count: 64)
        for length in [1, 7, 31, 64] {
            var (data, chunks) = (
                SMTPContentDecoder(.data, lineLimit: limits.line, sizeLimit: limits.size),
                SMTPContentDecoder(.chunks, lineLimit: limits.line, sizeLimit: limits.size)
            )
            var dropped: [UInt8] = []
            for start in stride(from: 0, to: line.count, by: length) {
                let piece = Array(line[start..<min(start + length, line.count)])
                _ = data.decode(piece.span, into: &dropped)
                _ = chunks.decode(piece.span, into: &dropped)
            }
            #expect(data.fault == limits.fault, "DATA in pieces of \(length)")
            #expect(chunks.fault == limits.fault, "BDAT in pieces of \(length)")
        }
    }
}
