import ClusterModel
import LabSupport
import Testing

/// What strangers send as identities, tokens and patterns: anything may come, and only what is written again in the
/// same way is taken. A failure prints its seed.
@Suite("Decoders of identities, tokens and patterns, with random bytes")
struct DecoderTests {
    private static let seed = UInt64.random(in: 0...UInt64.max)
    private static let digest = String(repeating: "0a", count: 32)
    private static let wellFormed: [String] = [
        "relay://mail-eu/node/edge-1.example.org", "relay://mail-eu/admin/ann@example.org",
        "relay-join_mail-eu_\(digest)_\(String(repeating: "9f", count: 24))", "edge-*.example.org",
    ]

    @Test("control 11, 16: no bytes make a decoder trap, and whatever it takes has one spelling")
    func randomBytes() {
        var chance = SplitMix(seed: Self.seed)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...80, using: &chance)).map { _ in
                UInt8.random(in: 0...255, using: &chance)
            }
            Self.decode(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test("control 11, 16: a text with bytes changed, lost, added or swapped is another one, or none")
    func damagedTexts() {
        var chance = SplitMix(seed: Self.seed)
        var taken = 0
        for round in 0..<20_000 {
            var bytes = Array(Self.wellFormed[round % Self.wellFormed.count].utf8)
            for _ in 0...Int.random(in: 0...2, using: &chance) { Self.damage(&bytes, using: &chance) }
            taken += Self.decode(String(decoding: bytes, as: UTF8.self))
        }
        // Otherwise the damage is too much to test anything behind the first check.
        #expect(taken > 100, "seed \(Self.seed)")
    }

    private static func damage(_ bytes: inout [UInt8], using chance: inout SplitMix) {
        let index = Int.random(in: 0..<max(bytes.count, 1), using: &chance)
        let alphabet = Array("az09-._@/*:ABZ% \0\u{E9}".utf8)
        let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &chance)]
        switch Int.random(in: 0..<4, using: &chance) {
        case 0 where !bytes.isEmpty: bytes[index] = byte
        case 1 where !bytes.isEmpty: bytes.remove(at: index)
        case 2: bytes.insert(byte, at: min(index, bytes.count))
        default: bytes.append(contentsOf: bytes[min(index, bytes.count)...])
        }
    }

    /// Tries each decoder, and tells how many took the text.
    @discardableResult
    private static func decode(_ text: String) -> Int {
        let written = [
            ClusterName(text)?.text, ClusterIdentity(uri: text)?.uri, JoinToken(text)?.text, NamePattern(text)?.text,
        ].compactMap(\.self)
        for again in written { #expect(again.utf8.elementsEqual(text.utf8), "seed \(seed)") }
        if let pattern = NamePattern(text) { #expect(!pattern.isExact || pattern.matches(text), "seed \(seed)") }
        return written.count
    }
}
