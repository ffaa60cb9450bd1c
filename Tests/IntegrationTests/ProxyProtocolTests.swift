import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// Case 16 of the list of hostile inputs: connections through a proxy, against the whole program.
@Suite("PROXY protocol", .timeLimit(.minutes(2)))
struct ProxyProtocolTests {
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    /// For a client at 192.0.2.`host`.
    fileprivate static func header(_ host: UInt8) -> [UInt8] {
        self.signature + [0x21, 0x11, 0, 12, 192, 0, 2, host, 198, 51, 100, 1, 0x30, 0x39, 0, 25]
    }

    /// A relay behind a proxy at 127.0.0.1, on the port that `body` gets.
    private func behindProxy(
        _ settings: [String: String] = [:], _ body: (LabRelay, UInt16) async throws -> Void
    ) async throws {
        var options = LabRelayOptions()
        let (port, proxied) = (Ports.unused(), Ports.unused())
        options.smtpPort = port
        options.settings = [
            "smtp.listeners": """
            [{name: lab, address: "127.0.0.1:\(port)"}, \
            {name: proxied, address: "127.0.0.1:\(proxied)", proxy-protocol: true}]
            """,
            "smtp.proxy-networks": "[127.0.0.1/32]", "smtp.proxy-timeout": "30s",
        ].merging(settings) { $1 }
        try await LabRelay.with([.dane("bravo.test")], options) { try await body($0, proxied) }
    }

    @Test("The client is who the proxy says: for relaying, for the trace and for the limits")
    func realClient() async throws {
        let settings = ["smtp.max-connections-per-address": "2", "accepted-domains": "[{domain: bravo.test}]"]
        try await self.behindProxy(settings) { lab, port in
            let id = try await SMTPDialog.connected(port: port) { smtp in
                try await smtp.send(Self.header(7))
                #expect(try await smtp.readReply().code == 220)
                try await smtp.startTLSAfterHello()
                #expect(try await smtp.say("MAIL FROM:<a@client.test>").code == 250)
                // The proxy may relay, but not those whom it speaks for.
                #expect(try await smtp.say("RCPT TO:<x@else.test>").code == 550)
                try await smtp.say("RSET")
                return try await smtp.submit(from: "a@client.test", to: ["b@bravo.test"], "Subject: x\n\nx\n").messageID
            }
            let trace = try await lab.trace(of: #require(id))
            #expect(trace.first?.reply?.contains("from 192.0.2.7 by") == true, "\(trace)")
            try await self.expectLimit(port)
        }
    }

    /// Two connections of one client are served, the third is not, and another client is.
    private func expectLimit(_ port: UInt16) async throws {
        try await SMTPDialog.connected(port: port) { first in
            #expect(try await first.greeting(for: 8) == 220)
            try await SMTPDialog.connected(port: port) { second in
                #expect(try await second.greeting(for: 8) == 220)
                for (host, code) in [(8, 421), (9, 220)] as [(UInt8, Int)] {
                    let answer = try await SMTPDialog.connected(port: port) { try await $0.greeting(for: host) }
                    #expect(answer == code)
                }
            }
        }
    }

    @Test("LOCAL is the proxy itself, which may look whether we live")
    func local() async throws {
        try await self.behindProxy { _, port in
            try await SMTPDialog.connected(port: port) { smtp in
                try await smtp.send(Self.signature + [0x20, 0, 0, 0])
                #expect(try await smtp.readReply().code == 220)
                #expect(try await smtp.say("QUIT").code == 221)
            }
        }
    }

    @Test(
        "hostile-input 16: a header that is absent, malformed, too long or from elsewhere ends the connection without a word"
    )
    func refused() async throws {
        try await self.behindProxy(["smtp.proxy-timeout": "1s"]) { lab, port in
            let tooLong = Self.signature + [0x21, 0x11, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 4096)
            for bytes in [[], Array("EHLO client.test\r\n".utf8), Array(Self.header(7).dropLast()), tooLong] {
                try await SMTPDialog.connected(port: port) { smtp in
                    // The server may have closed before all is written.
                    try? await smtp.send(bytes)
                    await #expect(throws: (any Error).self) { try await smtp.readReply() }
                }
            }
            try await SMTPDialog.connected(from: "127.0.0.2", port: port) { smtp in
                try? await smtp.send(Self.header(7))
                await #expect(throws: (any Error).self) { try await smtp.readReply() }
            }
            // The other listener does not know of any of this, and both serve on.
            try await SMTPDialog.with(port: lab.smtpPort) { _ = try await $0.hello() }
            #expect(try await lab.relayd.metric("relayd_smtpd_connections_total", label: "refused_proxy") == 1)
        }
    }
}

extension SMTPDialog {
    /// What the relay says to the client at 192.0.2.`host`.
    fileprivate mutating func greeting(for host: UInt8) async throws -> Int {
        try await self.send(ProxyProtocolTests.header(host))
        return try await self.readReply().code
    }

    fileprivate mutating func startTLSAfterHello() async throws {
        try await self.hello()
        try await self.startTLS()
    }
}
