import ClusterModel
import Testing

@Suite("Join tokens")
struct JoinTokenTests {
    private static let authority = (0..<32).map { UInt8($0) }
    private static let secret = (0..<24).map { UInt8(255 - $0) }
    private static let text =
        "relay-join_mail-eu_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        + "_fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8"

    @Test("control 11: a token's text has the cluster, the hash of its authority, and the secret")
    func text() throws {
        let token = JoinToken(
            cluster: try #require(ClusterName("mail-eu")), authority: Self.authority, secret: Self.secret)
        #expect(token.text == Self.text)
        #expect(JoinToken(Self.text) == token)
    }

    @Test("control 11: a token that lost or gained a byte, or has a wrong one, is none")
    func damage() {
        let bytes = Array(Self.text.utf8)
        for index in bytes.indices {
            var shorter = bytes
            shorter.remove(at: index)
            var longer = bytes
            longer.insert(UInt8(ascii: "0"), at: index)
            var wrong = bytes
            wrong[index] = UInt8(ascii: "G")
            // Within the cluster's name a byte less or more makes the token of another cluster.
            let isInName = (11...18).contains(index)
            #expect(isInName || JoinToken(String(decoding: shorter, as: UTF8.self)) == nil)
            #expect(isInName || JoinToken(String(decoding: longer, as: UTF8.self)) == nil)
            #expect(JoinToken(String(decoding: wrong, as: UTF8.self)) == nil)
        }
    }

    @Test("control 11: only the one spelling is a token")
    func spelling() {
        let text = Self.text
        let others = ["", "relay-join", text.uppercased(), text + "\n", " " + text, text + "_", text + "_00"]
        #expect(others.filter { JoinToken($0) != nil } == [])
    }

    @Test("A token that gets into a log does not tell its secret")
    func description() throws {
        let token = try #require(JoinToken(Self.text))
        var dumped = ""
        dump(token, to: &dumped)
        for text in ["\(token)", String(reflecting: token), String(describing: [token]), dumped] {
            #expect(text.contains("mail-eu"))
            #expect(!text.contains("fffe") && !text.contains("255"))
        }
    }
}
