import SMTPProtocol

/// Content by DATA. What is decoded does not depend on how it came, and agrees with the rule in one sentence. The end
/// is the first CRLF.CRLF, counting a CRLF before the first byte.
enum ContentCheck {
    struct Outcome: Equatable {
        var content: [UInt8] = []
        var consumed = 0
        var isEnd = false
        var isRefused = false
    }

    static func check(_ input: [UInt8]) throws(Violation) {
        let whole = try self.decode(input, .whole)
        for pieces in [Pieces.bytes, .random] {
            let other = try self.decode(input, pieces)
            try promise(other == whole, "content depends on its pieces: \(whole) and \(other)")
        }
        try self.compareWithRule(whole, input)
        try self.thereAndBack(input)
    }

    static func decode(_ input: [UInt8], _ pieces: Pieces) throws(Violation) -> Outcome {
        var decoder = SMTPContentDecoder(.data, lineLimit: 200, sizeLimit: 800)
        var outcome = Outcome()
        for length in pieces.lengths(of: input) {
            let before = outcome.content.count
            let piece = input.span.extracting(outcome.consumed..<(outcome.consumed + length))
            let (consumed, isEnd) = decoder.decode(piece, into: &outcome.content)
            try promise(consumed <= length, "more consumed than offered")
            try promise(isEnd || consumed == length, "content left over without an end")
            // A CR that was held back may come with the first byte of the next piece.
            try promise(outcome.content.count - before <= consumed + 1, "content out of nothing")
            outcome.consumed += consumed
            outcome.isEnd = isEnd
            if isEnd { break }
        }
        outcome.isRefused = decoder.fault != nil
        try promise(outcome.isRefused || outcome.content.count == decoder.size, "a wrong size")
        try promise(decoder.consumed == outcome.consumed, "a wrong count of what was read")
        // How much there is of content that is refused is nobody's business.
        if outcome.isRefused { outcome.content = [] }
        return outcome
    }

    private static func compareWithRule(_ outcome: Outcome, _ input: [UInt8]) throws(Violation) {
        let end = self.end(of: input)
        try promise(outcome.isEnd == (end != nil), "an end where there is none, or none where one is")
        guard let end else { return }
        try promise(outcome.consumed == end + 3, "the end is at \(end + 3), not \(outcome.consumed)")
        let wire = input[..<end]
        if !wire.hasOnlyWholeLineEnds { try promise(outcome.isRefused, "a stray CR, LF or NUL was let through") }
        guard !outcome.isRefused else { return }
        try promise(outcome.content == self.unstuffed(wire), "content was changed")
    }

    /// Where the line with the lone dot begins.
    private static func end(of input: [UInt8]) -> Int? {
        let mark: [UInt8] = [13, 10, 46, 13, 10]
        if input.starts(with: mark[2...]) { return 0 }
        guard input.count >= mark.count else { return nil }
        for start in 0...(input.count - mark.count)
        where input[start] == 13 && input[start..<(start + mark.count)].elementsEqual(mark) {
            return start + 2
        }
        return nil
    }

    private static func unstuffed(_ wire: ArraySlice<UInt8>) -> [UInt8] {
        var content: [UInt8] = []
        var isLineStart = true
        for byte in wire {
            if !(isLineStart && byte == 46) { content.append(byte) }
            isLineStart = byte == 10
        }
        return content
    }

    /// What the encoder puts on the wire comes out of the decoder as it went in, stray line ends made whole.
    private static func thereAndBack(_ input: [UInt8]) throws(Violation) {
        var wire: [UInt8] = []
        var encoder = SMTPDataEncoder()
        var start = 0
        for length in Pieces.random.lengths(of: input) {
            encoder.encode(input.span.extracting(start..<(start + length)), into: &wire)
            start += length
        }
        encoder.finish(into: &wire)
        var decoder = SMTPContentDecoder(.data, lineLimit: .max, sizeLimit: .max)
        var content: [UInt8] = []
        let (consumed, isEnd) = decoder.decode(wire.span, into: &content)
        try promise(isEnd && consumed == wire.count, "the wire ends before its end")
        let hasNUL = input.contains(0)
        try promise(decoder.fault == nil || hasNUL, "the encoder let a stray line end through")
        guard !hasNUL else { return }
        try promise(content == self.repaired(input), "content does not survive the wire")
    }

    /// CRLF for every CR, LF and CRLF, and one at the end.
    private static func repaired(_ input: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var previous: UInt8?
        for byte in input {
            switch byte {
            case 13: result += [13, 10]
            case 10 where previous == 13: break
            case 10: result += [13, 10]
            default: result.append(byte)
            }
            previous = byte
        }
        if let previous, previous != 10, previous != 13 { result += [13, 10] }
        return result
    }
}
