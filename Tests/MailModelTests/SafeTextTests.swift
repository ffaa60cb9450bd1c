import MailModel
import Testing

@Suite("Text of peers")
struct SafeTextTests {
    @Test("Text keeps every byte of a peer's, whatever it is")
    func keptBytes() {
        var random = SystemRandomNumberGenerator()
        let pieces: [[UInt8]] = [
            Array("plain".utf8), Array("ä€😀".utf8), [0xe4], [0xf0, 0x9f], [0xed, 0xa0, 0x80], [0xc0, 0x80],
            Array("\u{EF80}\u{EFFF}".utf8), [0xff, 0xfe], [0x00, 0x1b],
        ]
        for _ in 0..<500 {
            let bytes = (0..<6).flatMap { _ in pieces.randomElement(using: &random) ?? [] }
            let text = SafeText.text(keeping: bytes)
            #expect(SafeText.bytes(of: text) == bytes)
            #expect(SafeText.escape(text) == SafeText.escape(bytes: bytes))
        }
    }
}
