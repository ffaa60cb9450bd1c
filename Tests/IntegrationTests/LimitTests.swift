import Foundation
import Glibc
import Lab
import Testing

/// Cases 15 and 32 of the list of hostile inputs: limits in time and number, against the whole program.
@Suite("Limits of the running node", .timeLimit(.minutes(2)))
struct LimitTests {
    @Test("15: a command that comes byte by byte meets one deadline, and a stalled handshake is closed")
    func slowClients() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.command-timeout": "2s", "smtp.handshake-timeout": "1s"]
        try await LabRelay.with([], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                // Were each byte to move the deadline, this client could go on for ever. That a 421 is said is tested on
                // the handler; here the bytes behind it may reset the connection before it is read.
                var isClosed = false
                for _ in 0..<100 where !isClosed {
                    do {
                        try await smtp.send("x")
                        try await Task.sleep(for: .milliseconds(200))
                    } catch {
                        isClosed = true
                    }
                }
                #expect(isClosed, "each byte moved the deadline")
            }
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                #expect(try await smtp.say("STARTTLS").code == 220)
                // No ClientHello comes; there is nothing that the server could say.
                await #expect(throws: (any Error).self) { try await smtp.readReply() }
            }
        }
    }

    @Test("15: one address has so many connections and no more; the next is answered 421")
    func connectionsPerAddress() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.max-connections-per-address": "2"]
        try await LabRelay.with([], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort) { first in
                try await SMTPDialog.with(port: lab.smtpPort) { second in
                    await #expect(throws: LabFailure.self) {
                        try await SMTPDialog.with(port: lab.smtpPort) { try await $0.hello() }
                    }
                    try await second.hello()
                }
                try await first.hello()
            }
            try await lab.relayd.waitUntilReady()
        }
    }
}
