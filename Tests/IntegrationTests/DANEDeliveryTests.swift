import Foundation
import Lab
import QueueStore
import Testing

/// The main job, from a client's connection to the receiving host, with the real binary and real name servers.
@Suite("Delivery with DANE")
struct DANEDeliveryTests {
    @Test(
        "A host that matches its TLSA record gets the mail, and the trace says by which record", .timeLimit(.minutes(1))
    )
    func verified() async throws {
        try await LabRelay.with([.dane("bravo.test")]) { lab in
            let id = try await lab.submit(to: "bob@bravo.test")
            let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
            let sent = try #require(trace.first { $0.kind == .send })
            #expect(sent.authentication == .dane)
            #expect(sent.tlsMatch?.hasPrefix("3 1 1") == true)
            #expect(sent.dnssec == "mx=secure a=secure tlsa=secure")
            #expect(lab.peer("bravo.test").server.messageCount == 1)
        }
    }
}
