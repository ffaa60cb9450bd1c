import Foundation
import Glibc
import LabPeers
import LabRelay
import LabSupport
import Testing

/// Cases 15 and 32 of the list of hostile inputs: limits in time and number, against the whole program.
@Suite("Limits of the running node", .timeLimit(.minutes(2)))
struct LimitTests {
    @Test("hostile-input 15: a command that comes byte by byte meets one deadline, and a stalled handshake is closed")
    func slowClients() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.command-timeout": "2s", "smtp.handshake-timeout": "1s"]
        try await LabRelay.with([], options) { lab in
            // Were each byte to move the deadline, this client could go on for ever.
            try await ClientScript(.hello, .drip("x", every: .milliseconds(100), until: 421), .closed)
                .play(port: lab.smtpPort)
            // No ClientHello comes; there is nothing that the server could say.
            try await ClientScript(.hello, .send("STARTTLS"), .expect(220), .closed).play(port: lab.smtpPort)
        }
    }

    @Test(
        "hostile-input 15: message data below the least rate is answered 421, and nothing of it is queued",
        arguments: [false, true])
    func slowData(isEncrypted: Bool) async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.data-timeout": "2s"]
        try await LabRelay.with([], options) { lab in
            // A line each 100 ms: 200 bytes a second.
            try await ClientScript(
                isEncrypted ? .secureHello : .hello, .envelope(to: "slow@bravo.test"), .content(""),
                .drip("0123456789012345\r\n", every: .milliseconds(100), until: 421), .closed
            ).play(port: lab.smtpPort)
            #expect(try await lab.receptions(for: "slow@bravo.test") == 0)
        }
    }

    @Test("hostile-input 5: who talks before the greeting is refused instead of greeted")
    func earlyTalker() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.greeting-delay": "2s"]
        try await LabRelay.with([], options) { lab in
            try await ClientScript(.send("EHLO client.test", "MAIL FROM:<a@client.test>"), .expect(554), .closed)
                .play(port: lab.smtpPort)
            // Who waits is served.
            try await ClientScript(.hello).play(port: lab.smtpPort)
        }
    }

    @Test(
        "A client that sends far over the limit, and looks only then, reads why and a clean end",
        arguments: [false, true])
    func farewell(isEncrypted: Bool) async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.max-message-size": "1MiB"]
        try await LabRelay.with([], options) { lab in
            let start: ClientScript = [isEncrypted ? .secureHello : .hello, .envelope(to: "huge@bravo.test")]
            let piece = String(repeating: String(repeating: "z", count: 62) + "\r\n", count: 1024)
            // The server gives up 17 MiB from the beginning, or at once; the client is at its end 24 MiB or more behind that.
            try await (start + [.content(""), .bytes(piece, times: 41 * 16), .expect("552 5.3.4"), .closed])
                .play(port: lab.smtpPort)
            try await
                (start + [.send("BDAT \(40 << 20) LAST"), .bytes(piece, times: 40 * 16), .expect("552 5.3.4"), .closed])
                .play(port: lab.smtpPort)
            #expect(try await lab.receptions(for: "huge@bravo.test") == 0)
        }
    }

    @Test("hostile-input 15: one client has so many connections, all have so many, and the next is answered 421")
    func connections() async throws {
        var options = LabRelayOptions()
        options.settings = ["smtp.max-connections-per-address": "2", "smtp.max-connections": "3"]
        try await LabRelay.with([], options) { lab in
            func refused(_ reply: String, from source: String) async throws {
                try await ClientScript(.expect(reply), .closed).play(from: source, port: lab.smtpPort)
            }
            try await SMTPDialog.with(port: lab.smtpPort) { first in
                try await SMTPDialog.with(port: lab.smtpPort) { second in
                    try await refused("421 4.7.0", from: "127.0.0.1")
                    try await SMTPDialog.connected(from: "127.0.0.2", port: lab.smtpPort) { third in
                        try await third.play([.hello])
                        try await refused("421 4.3.2", from: "127.0.0.3")
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
            for _ in 0..<5 { try await ClientScript(.hello).play(port: lab.smtpPort) }
            try await ClientScript(.expect("421 4.7.0"), .closed).play(port: lab.smtpPort)
            try await ClientScript(.hello).play(from: "127.0.0.2", port: lab.smtpPort)
        }
    }

    @Test("A node that could run out of file descriptors does not start (hostile-input 41)")
    func descriptors() async throws {
        let relayd = try BuiltProgram.named("relayd").path
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
