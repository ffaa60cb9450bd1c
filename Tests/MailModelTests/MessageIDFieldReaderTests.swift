import MailModel
import Testing

@Suite("Message-ID field")
struct MessageIDFieldReaderTests {
    @Test(
        "The first field of that name counts, in any case, folded or not, wherever the content is split",
        arguments: [
            ("Subject: x\r\nMessage-ID: <a@b.test>\r\n\r\n", "<a@b.test>"),
            ("MESSAGE-id:<a@b.test>\r\nTo: c\r\n\r\n", "<a@b.test>"),
            ("Message-ID:\r\n <a@b.test>\r\n\r\n", "<a@b.test>"),
            ("Message-ID: <a@b.test>\r\n\t(comment) \r\nTo: c\r\n\r\n", "<a@b.test> (comment)"),
            ("Message-ID \t: <a@b.test>  \r\n\r\n", "<a@b.test>"),
            ("Message-ID: <a@b.test>\r\nMessage-ID: <c@d.test>\r\n\r\n", "<a@b.test>"),
            ("Message-ID: <\u{1B}ä@b.test>\r\n\r\n", #"<\x1B\xC3\xA4@b.test>"#),
            ("Message-ID: <a@b.test>", "<a@b.test>"),
        ])
    func found(_ content: String, _ expected: String) {
        let bytes = Array(content.utf8)
        for size in [1, 2, 3, 7, bytes.count] {
            var reader = MessageIDFieldReader()
            for start in stride(from: 0, to: bytes.count, by: size) {
                reader.consume(bytes[start..<min(start + size, bytes.count)])
            }
            #expect(reader.value == expected, "pieces of \(size)")
        }
    }

    @Test(
        "No field of another name counts, nor text behind the header section",
        arguments: [
            "", "Subject: Message-ID: <a@b.test>\r\n\r\n", "X-Message-ID: <a@b.test>\r\n\r\n",
            "Message-IDs: <a@b.test>\r\n\r\n", "\r\nMessage-ID: <a@b.test>\r\n",
            "Subject: x\r\n\r\nMessage-ID: <a@b.test>\r\n", "Subject: x\r\n Message-ID: <a@b.test>\r\n\r\n",
            "Message-ID\r\n : <a@b.test>\r\n\r\n",
        ])
    func notFound(_ content: String) {
        var reader = MessageIDFieldReader()
        reader.consume(Array(content.utf8))
        #expect(reader.value == nil && !reader.isFound)
    }

    @Test("An empty field is there, and says nothing")
    func empty() {
        var reader = MessageIDFieldReader()
        reader.consume(Array("Message-ID: \r\n\r\n".utf8))
        #expect(reader.value == nil && reader.isFound)
    }

    @Test("Of a field of a megabyte its first 250 bytes are kept")
    func bounded() {
        var reader = MessageIDFieldReader()
        reader.consume(Array("Message-ID: ".utf8))
        reader.consume(repeatElement(UInt8(ascii: "x"), count: 1 << 20))
        reader.consume(Array("\r\n\r\n".utf8))
        #expect(reader.value == String(repeating: "x", count: MessageIDFieldReader.maximumLength))
    }
}
