import ClusterModel
import Testing

@Suite("Refusals of a node")
struct WatchRefusalTests {
    @Test("A reason has at most 1,000 bytes, and whole characters")
    func reason() {
        func reason(_ text: String) -> String {
            WatchRefusal(stateVersion: 1, resource: nil, reason: text).reason
        }
        #expect(reason(String(repeating: "x", count: 1000)).utf8.count == 1000)
        #expect(reason(String(repeating: "x", count: 1001)).utf8.count == 1000)
        #expect(reason("x" + String(repeating: "é", count: 500)).utf8.count == 999)
    }
}
