import Foundation
import Glibc
import LabPeers
import LabRelay
import Testing

@Suite("Draining", .timeLimit(.minutes(2)))
struct DrainTests {
    @Test("SIGTERM: DATA under way ends with 250, idle clients get 421 4.3.2, leases are released, the status is 0")
    func drains() async throws {
        var options = LabRelayOptions()
        options.settings = ["queue.lease-ttl": "60s"]
        try await LabRelay.with([.dane("bravo.test")], options) { lab in
            let process = try #require(lab.relayd.processIdentifier)
            try await SMTPDialog.with(port: lab.smtpPort) { busy in
                try await self.begin(&busy)
                try await SMTPDialog.with(port: lab.smtpPort) { idle in
                    try await idle.hello()
                    #expect(kill(process, SIGTERM) == 0)
                    let farewell = try await idle.readReply()
                    #expect(farewell.description.hasPrefix("421 4.3.2 "))
                }
                await #expect(throws: (any Error).self, "nobody is let in any more") {
                    try await SMTPDialog.with(port: lab.smtpPort) { try await $0.hello() }
                }
                try await busy.send("the rest\r\n.\r\n")
                let last = try await busy.readReply()
                #expect(last.code == 250)
                #expect(try await busy.readReply().description.hasPrefix("421 4.3.2 "))
            }
            try await lab.relayd.waitForEnd()
            #expect(lab.relayd.terminationStatus == 0)

            // Its name and its leases would be held for a minute, had it not given them back.
            try await lab.relayd.start(within: .seconds(25))
            let server = lab.peer("bravo.test").server
            #expect(await server.wait { $0.received.contains { $0.text.hasSuffix("half of it\r\nthe rest\r\n") } })
            #expect(server.messageCount == 1)
        }
    }

    private func begin(_ smtp: inout SMTPDialog) async throws {
        try await smtp.hello()
        try await smtp.startTLS()
        try await smtp.say("MAIL FROM:<alice@alpha.test>")
        try await smtp.say("RCPT TO:<bob@bravo.test>")
        #expect(try await smtp.say("DATA").code == 354)
        try await smtp.send("Subject: drained\r\n\r\nhalf of it\r\n")
    }
}
