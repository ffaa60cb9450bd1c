import Testing

@testable import Delivery

@Suite("Share of mail without a sender")
struct NullSenderShareTests {
    @Test(
        "Mail without a sender has at most half of the connections, and at least one (field A3)", arguments: [1, 2, 9])
    func nullSenders(_ connections: Int) {
        let share = NullSenderShare(ofConnections: connections)
        let most = max(1, connections / 2)
        for _ in 0..<most { #expect(share.take()) }
        #expect(!share.take())
        share.release()
        #expect(share.take() && !share.take())
    }
}
