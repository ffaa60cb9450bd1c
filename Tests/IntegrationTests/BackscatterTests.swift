import LabPeers
import LabRelay
import Testing

/// What comes of mail to nobody that names a victim as its sender.
@Suite("Backscatter", .timeLimit(.minutes(3)))
struct BackscatterTests {
    @Test("56 KB of a stranger's to 1,000 unknown recipients bring the victim one report, smaller than that (field A3)")
    func unknownRecipients() async throws {
        var options = LabRelayOptions()
        options.settings = ["relay-networks": "[]", "accepted-domains": "[{domain: ours.test}]"]
        let domains: [LabDomain] = [
            .dane("ours.test", rules: [.on(.everyRecipient, .reply("550 5.1.1 No such user"))]), .dane("victim.test"),
        ]
        try await LabRelay.with(domains, options) { lab in
            let header = String(repeating: "X-Filler: \(String(repeating: "x", count: 900))\r\n", count: 33)
            let server = lab.peer("victim.test").server
            var sent = 0
            for (index, returning) in ["", " RET=FULL"].enumerated() {
                var commands = ["MAIL FROM:<victim\(index)@victim.test>\(returning)"]
                commands += (0..<1000).map { "RCPT TO:<user\($0)@ours.test> NOTIFY=SUCCESS,FAILURE" }
                sent = commands.reduce(header.utf8.count) { $0 + $1.utf8.count + 2 }
                try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                    try await smtp.hello()
                    for command in commands { #expect(try await smtp.say(command).code == 250) }
                    #expect(try await smtp.say("DATA").code == 354)
                    #expect(try await smtp.say(header + "\r\nx\r\n.").code == 250)
                }
                let isTold = await server.wait(within: .seconds(30)) { $0.received.count > index }
                #expect(isTold)
            }
            // All reports on an attempt are queued at once, so others would have come, too.
            #expect(await lab.becomesEmpty(within: .seconds(30)))
            #expect(server.received.map(\.recipients) == [["victim0@victim.test"], ["victim1@victim.test"]])
            for report in server.received {
                #expect(report.text.utf8.count <= 16 * 1024 && report.text.utf8.count < sent / 3)
                #expect(report.text.contains("X-Relay-Unlisted-Recipients: 984\r\n"))
            }
        }
    }
}
