import Foundation
import RelayConfiguration
import Testing

@Suite("The page of the controller")
struct ControllerPageTests {
    @Test("docs/controller.md has each setting, and no other")
    func settings() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/controller.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let rows = text.matches(of: #/(?m)^\| `([a-z-]+\.[a-z-]+)` \|/#).map { String($0.output.1) }
        #expect(rows.sorted() == ConfigurationText.keys(of: ControllerConfiguration.self).map(\.name).sorted())
        #expect(rows.count > 15)
    }
}
