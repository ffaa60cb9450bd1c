import Foundation
import Glibc
import Lab
import Testing

/// Cases 15 and 32 of the list of hostile inputs: limits in time and number, against the whole program.
@Suite("Limits of the running node", .timeLimit(.minutes(2)))
struct LimitTests {
    @Test("hostile-input 15: a command that comes byte by byte meets one deadline, and a stalled handshake is closed")
    func slowClients() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.command-timeout": "2s", "smtp.handshake-timeout": "1s"]
        try await LabRelay.with([], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                // Were each byte to move the deadline, this client could go on for ever.
                for _ in 0..<50 {
                    // Bytes behind the end of the session are read and dropped, or refused once it is closed.
                    try? await smtp.send("x")
                    try await Task.sleep(for: .milliseconds(100))
                }
                // Had they met a closed socket, a reset would have destroyed the reply.
                #expect(try await smtp.readReply().code == 421)
                await #expect(throws: (any Error).self) { try await smtp.readReply() }
            }
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                #expect(try await smtp.say("STARTTLS").code == 220)
                // No ClientHello comes; there is nothing that the server could say.
                await #expect(throws: (any Error).self) { try await smtp.readReply() }
            }
        }
    }

    @Test(
        "hostile-input 15: message data below the least rate is answered 421, and nothing of it is queued",
        arguments: [false, true])
    func slowData(isEncrypted: Bool) async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.data-timeout": "2s"]
        try await LabRelay.with([], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                if isEncrypted { try await smtp.startTLS() }
                try await smtp.say("MAIL FROM:<a@client.test>")
                try await smtp.say("RCPT TO:<slow@bravo.test>")
                #expect(try await smtp.say("DATA").code == 354)
                // A line each 100 ms: 200 bytes a second.
                for _ in 0..<40 {
                    try? await smtp.send("0123456789012345\r\n")
                    try await Task.sleep(for: .milliseconds(100))
                }
                #expect(try await smtp.readReply().code == 421)
            }
            #expect(try await lab.receptions(for: "slow@bravo.test") == 0)
        }
    }

    @Test("hostile-input 5: who talks before the greeting is refused instead of greeted")
    func earlyTalker() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.greeting-delay": "2s"]
        try await LabRelay.with([], options) { lab in
            try await SMTPDialog.connected(port: lab.smtpPort) { smtp in
                try await smtp.send("EHLO client.test\r\nMAIL FROM:<a@client.test>\r\n")
                #expect(try await smtp.readReply().code == 554)
                await #expect(throws: (any Error).self) { try await smtp.readReply() }
            }
            // Who waits is served.
            try await SMTPDialog.with(port: lab.smtpPort) { _ = try await $0.hello() }
        }
    }

    @Test("hostile-input 15: one client has so many connections, all have so many, and the next is answered 421")
    func connections() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.max-connections-per-address": "2", "smtp.max-connections": "3"]
        try await LabRelay.with([], options) { lab in
            func greeting(from source: String) async throws -> SMTPDialog.Reply {
                try await SMTPDialog.connected(from: source, port: lab.smtpPort) { try await $0.readReply() }
            }
            try await SMTPDialog.with(port: lab.smtpPort) { first in
                try await SMTPDialog.with(port: lab.smtpPort) { second in
                    #expect(try await greeting(from: "127.0.0.1").description.hasPrefix("421 4.7.0"))
                    try await SMTPDialog.connected(from: "127.0.0.2", port: lab.smtpPort) { third in
                        let served = try await third.readReply()
                        #expect(served.code == 220)
                        #expect(try await greeting(from: "127.0.0.3").description.hasPrefix("421 4.3.2"))
                    }
                    try await second.hello()
                }
                try await first.hello()
            }
            try await lab.relayd.waitUntilReady()
        }
    }

    @Test("hostile-input 15: one client opens so many connections in a minute")
    func connectionRate() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.max-connection-rate": "5"]
        try await LabRelay.with([], options) { lab in
            for _ in 0..<5 { try await SMTPDialog.with(port: lab.smtpPort) { _ = try await $0.hello() } }
            try await SMTPDialog.connected(port: lab.smtpPort) { smtp in
                let refused = try await smtp.readReply()
                #expect(refused.description.hasPrefix("421 4.7.0"))
            }
            try await SMTPDialog.connected(from: "127.0.0.2", port: lab.smtpPort) { smtp in
                let served = try await smtp.readReply()
                #expect(served.code == 220)
            }
        }
    }

    @Test("A node that could run out of file descriptors does not start (hostile-input 41)")
    func descriptors() async throws {
        let relayd = try RelaydProcess.besideThisProgram().path
        try await withTemporaryFolder { folder in
            let child = try await ChildProcess(
                "/bin/sh", ["-c", "ulimit -n 2000 && exec \(relayd) run"], log: folder.appending(path: "output"))
            #expect(await child.ended(within: .seconds(30)))
            #expect(child.terminationStatus == 78)
            #expect(child.lastOutput().contains("smtp.max-connections"), "\(child.lastOutput())")
            await child.stop()
        }
    }
}
