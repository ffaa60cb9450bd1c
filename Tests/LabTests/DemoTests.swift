import Foundation
import LabPeers
import LabSupport
import Testing

/// `relay-lab demo` as a user runs it.
@Suite(.timeLimit(.minutes(2)))
struct DemoTests {
    /// Runs the demo to its end: its exit status and what it printed.
    private func demo(_ arguments: String..., language: String = "C.UTF-8") async throws -> (Int32?, String) {
        try await withTemporaryFolder { folder in
            let program = try BuiltProgram.named("relay-lab")
            let child = try await ChildProcess(
                program.path, ["demo", "--exit"] + arguments, environment: ["LC_ALL": language],
                log: folder.appending(path: "output"))
            let hasEnded = await child.ended(within: .seconds(90))
            if !hasEnded { await child.stop() }
            let output = try String(contentsOf: folder.appending(path: "output"), encoding: .utf8)
            return (hasEnded ? child.terminationStatus : nil, output)
        }
    }

    @Test("The story is whole: verified, held back for three reasons, and nothing leaked; the files stay where told")
    func story() async throws {
        let kept = "/tmp/relay-kept-\(UInt32.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: kept) }
        let (status, output) = try await self.demo("--keep", kept, "--port", "\(Ports.unused())")
        #expect(status == 0)
        #expect(!output.contains("✖"))
        #expect(!output.contains("\u{1B}"), "colour is for terminals")
        let facts = [
            "DANE verified: 3 1 1 ", "mx=secure a=secure tlsa=secure", "4.7.323 tlsa-invalid",
            "4.7.321 starttls-not-supported", "4.7.324 dnssec-invalid", "opportunistic TLS: TLSv1.3",
            "the queue keeps 3 messages",
        ]
        for fact in facts { #expect(output.contains(fact), "\(fact)") }
        #expect(FileManager.default.fileExists(atPath: "\(kept)/relayd-1.log"))
    }

    @Test("Where only ASCII can be shown, only ASCII is printed")
    func ascii() async throws {
        let (status, output) = try await self.demo("--port", "\(Ports.unused())", language: "C")
        #expect(status == 0)
        let isASCII = output.utf8.allSatisfy { $0 < 0x80 }
        #expect(isASCII)
    }

    @Test("What cannot be set up is said in a line, and the exit status is 1")
    func failure() async throws {
        let peer = try await ScriptedPeer.start()
        let (status, output) = try await self.demo("--port", "\(peer.port)")
        await peer.stop()
        #expect(status == 1)
        #expect(output.contains("✖ the demo could not go on\n    port \(peer.port) cannot be used"))
    }
}
