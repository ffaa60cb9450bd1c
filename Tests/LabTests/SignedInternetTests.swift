import Foundation
import LabDNS
import LabSupport
import Testing

@Suite("A private signed Internet", .timeLimit(.minutes(3)))
struct SignedInternetTests {
    private func ask(_ internet: SignedInternet, _ name: String, _ type: String) async throws -> String {
        try await ChildProcess.run(
            "kdig",
            ["@\(internet.address)", "-p", "\(internet.port)", "+dnssec", "+short", "+retry=0", "+time=2", name, type])
    }

    @Test("Zones are served, signed, delegated, and changed while they are served; the server stops and starts")
    func life() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lab-dns-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let internet = try await SignedInternet.start(
            in: folder,
            zones: [
                LabZone("alpha.test", [.a("www.alpha.test", "192.0.2.1"), .mx("www.alpha.test")]),
                LabZone("plain.test", .unsigned, [.a("plain.test", "192.0.2.2")]),
            ])
        #expect(try await self.ask(internet, "www.alpha.test", "A").hasPrefix("192.0.2.1\nA 13 3"))
        #expect(try await self.ask(internet, "plain.test", "A") == "192.0.2.2\n")
        #expect(try await self.ask(internet, "alpha.test", "DS").contains(" 13 2 "))
        #expect(try await self.ask(internet, "plain.test", "DS") == "")
        #expect(try String(contentsOf: internet.trustAnchorFile, encoding: .utf8).hasPrefix(". DS "))

        for number in 2...4 {
            try await internet.update("alpha.test", [.a("www.alpha.test", "192.0.2.\(number)")])
            #expect(try await self.ask(internet, "www.alpha.test", "A").hasPrefix("192.0.2.\(number)\nA 13 3"))
        }
        #expect(try await self.ask(internet, "alpha.test", "MX") == "")
        await #expect(throws: ChildProcess.Failure.self) { try await internet.update("other.test", []) }

        await internet.stopServer()
        await #expect(throws: ChildProcess.Failure.self) { try await self.ask(internet, "plain.test", "A") }
        try await internet.startServer()
        #expect(try await self.ask(internet, "www.alpha.test", "A").hasPrefix("192.0.2.4\nA 13 3"))
        await internet.stopServer()
    }
}
