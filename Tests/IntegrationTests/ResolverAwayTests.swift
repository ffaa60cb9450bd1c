import Glibc
import LabDNS
import LabPeers
import LabRelay
import Testing

@Suite("A node without DNS in reach", .timeLimit(.minutes(2)))
struct ResolverAwayTests {
    @Test(
        "Mail for a next hop given by address is sent, the log says what waits, and SIGTERM ends the node at once (field D8)"
    )
    func away() async throws {
        let peer = try await ScriptedPeer.start([])
        var options = LabRelayOptions()
        options.startsRelayd = false
        options.settings = [
            "accepted-domains": "[{domain: literal.test, next-hop: \"[\(peer.address)]:\(peer.port)\"}]"
        ]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            await lab.internet.pauseServer()
            try await lab.relayd.launch()
            #expect(
                await lab.relayd.waitForLogLine(within: .seconds(30)) { $0.text.contains("wait for the resolver") }
                    != nil)
            for domain in ["literal.test", "bravo.test"] {
                try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                    try await smtp.hello()
                    try await smtp.say("MAIL FROM:<alice@alpha.test>")
                    try await smtp.say("RCPT TO:<bob@\(domain)>")
                    #expect(try await smtp.say("DATA").code == 354)
                    try await smtp.send("Subject: x\r\n\r\nx\r\n.\r\n")
                    #expect(try await smtp.readReply().code == 250)
                }
            }
            #expect(await peer.wait { !$0.received.isEmpty })
            let process = try #require(lab.relayd.processIdentifier)
            let signalled = ContinuousClock.now
            #expect(kill(process, SIGTERM) == 0)
            try await lab.relayd.waitForEnd(within: .seconds(30))
            let took = ContinuousClock.now - signalled
            #expect(lab.relayd.terminationStatus == 0 && took < .seconds(8), "it took \(took)")
            await lab.internet.resumeServer()
        }
        await peer.stop()
    }
}
