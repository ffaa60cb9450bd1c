import SMTPProtocol

/// Content by BDAT: nothing in it ends it, no dot means anything, and no byte of it is ever taken for a command.
enum ChunkCheck {
    private static let state = ServerSessionCheck.player(after: [
        "EHLO client.test", "MAIL FROM:<a@client.test>", "RCPT TO:<b@relay.test>", "RCPT TO:<c@relay.test>",
        "RCPT TO:<d@relay.test>",
    ])

    static func check(_ input: [UInt8]) throws(Violation) {
        let whole = try self.decode(input, .whole)
        for pieces in [Pieces.bytes, .random] {
            try promise(try self.decode(input, pieces) == whole, "content depends on its pieces")
        }
        let endsInLine = input.isEmpty || input.suffix(2).elementsEqual([13, 10])
        let expected = endsInLine ? input : input + [13, 10]
        try promise((whole == nil) == !expected.hasOnlyWholeLineEnds, "stray CR, LF or NUL are not told apart")
        if let whole { try promise(whole == expected, "content was changed") }
        try self.transfer(input, expected, input.checksum % 2 == 0 ? .whole : .random)
    }

    /// The content; `nil` where it is refused.
    private static func decode(_ input: [UInt8], _ pieces: Pieces) throws(Violation) -> [UInt8]? {
        var decoder = SMTPContentDecoder(.chunks, lineLimit: .max, sizeLimit: .max)
        var content: [UInt8] = []
        var start = 0
        for length in pieces.lengths(of: input) {
            let read = decoder.decode(input.span.extracting(start..<(start + length)), into: &content)
            try promise(read.consumed == length && !read.isEnd, "content by BDAT has an end of its own")
            start += length
        }
        decoder.end(into: &content)
        return decoder.fault == nil ? content : nil
    }

    /// Sends the input in chunks through a session that has recipients.
    private static func transfer(_ input: [UInt8], _ expected: [UInt8], _ pieces: Pieces) throws(Violation) {
        guard var player = self.state else { throw Violation("the opening was refused") }
        var wire: [UInt8] = []
        var start = 0
        // A few chunks, which are cut once more on their way.
        for length in Pieces.random.lengths(of: input).prefix(3) + [0] {
            let length = length == 0 ? input.count - start : length
            wire += Array("BDAT \(length)\r\n".utf8) + input[start..<(start + length)]
            start += length
        }
        wire += Array("BDAT 0 LAST\r\n".utf8)
        let before = player.events.count
        try player.play(wire, pieces)
        var stored: [[UInt8]] = []
        for event in player.events.dropFirst(before) {
            switch event {
            case .stored(_, let content): stored.append(content)
            case .asked, .credentials, .beganTLS: throw Violation("content was taken for a command: \(event)")
            case .reply, .dropped, .closed: break
            }
        }
        try promise(stored.isEmpty || stored == [expected], "another message than the one that was sent")
        if !expected.hasOnlyWholeLineEnds { try promise(stored.isEmpty, "a stray CR, LF or NUL was accepted") }
    }
}
