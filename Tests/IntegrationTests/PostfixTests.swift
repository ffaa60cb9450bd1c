import DANE
import Foundation
import Lab
import MailModel
import QueueStore
import TLSEngine
import Testing

@Suite(
    "Postfix as the peer", .timeLimit(.minutes(2)),
    .disabled(if: PostfixInstance.unavailable != nil, "\(PostfixInstance.unavailable?.description ?? "")"))
struct PostfixTests {
    @Test("The relay delivers to Postfix with DANE, and Postfix stores the bytes that swaks and a client submitted")
    func postfixReceives() async throws {
        try await withTemporaryFolder { folder in
            let port = Ports.unused()
            let address = try #require(LoopbackAddress.unused(port: port))
            let identity = try PeerIdentity("mx.postfix.test", in: folder)
            var configuration = PostfixConfiguration.receivingMX(
                "mx.postfix.test", domains: ["postfix.test"], identity: identity.files)
            configuration.address = address
            configuration.port = port
            let home = folder.appending(path: "postfix")
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            let postfix = try await PostfixInstance.start(configuration, in: home)
            var options = LabRelayOptions()
            options.deliveryPort = port
            options.zones = [
                LabZone(
                    "postfix.test",
                    [
                        .mx("mx.postfix.test"), .a("mx.postfix.test", address),
                        .tlsa("mx.postfix.test", port: port, 3, 1, 1, identity.digest),
                    ])
            ]
            do {
                try await LabRelay.with([], options) { lab in
                    try await self.sendsBytes(lab, to: postfix)
                    try await self.sendsFromSwaks(lab, to: postfix)
                }
            } catch {
                await postfix.stop()
                throw error
            }
            await postfix.stop()
        }
    }

    private func sendsBytes(_ lab: LabRelay, to postfix: PostfixInstance) async throws {
        // Dots at line starts, and Latin-1: eight bits that mean nothing to anybody on the way.
        let lines: [[UInt8]] =
            [
                // All that a header needs, so that Postfix adds nothing between these lines.
                "Message-ID: <bytes@client.test>", "From: <alice@alpha.test>", "Date: Mon, 23 Nov 2026 20:00:00 +0000",
                "Subject: bytes", "", ".", "..two", ".one",
            ].map { Array($0.utf8) }
            + [[0x47, 0x72, 0xFC, 0xDF, 0x65], [], [0x20], [0x65, 0x6E, 0x64]]
        var stuffed: [UInt8] = []
        for line in lines { stuffed += (line.first == 0x2E ? [0x2E] : []) + line + [0x0D, 0x0A] }
        stuffed += [0x2E, 0x0D, 0x0A]
        let id = try await SMTPDialog.with(port: lab.smtpPort) { smtp in
            try await smtp.hello()
            try await smtp.startTLS()
            #expect(try await smtp.say("MAIL FROM:<alice@alpha.test> BODY=8BITMIME").code == 250)
            #expect(try await smtp.say("RCPT TO:<bob@postfix.test>").code == 250)
            #expect(try await smtp.say("DATA").code == 354)
            try await smtp.send(stuffed)
            return try await smtp.readReply().messageID
        }
        let event = try await lab.firstOutcome(of: try #require(id))
        #expect(event.kind == .send)
        #expect(event.authentication == .dane)
        #expect(event.tlsMatch?.hasPrefix("3 1 1 ") == true)
        try await lab.expectLogged(event)
        let stored = try #require(await postfix.storedMessage(containing: "<bytes@client.test>"))
        let expected = Array(lines.joined(separator: [0x0A])) + [0x0A]
        #expect(Array(stored.suffix(expected.count)) == expected, "\(String(decoding: stored, as: UTF8.self))")
        // Postfix's own account of the TLS session, in its log and in its Received field.
        #expect(await postfix.logLine(containing: "TLS connection established from") != nil)
        #expect(String(decoding: stored, as: UTF8.self).contains("using TLSv1.3"))
    }

    private func sendsFromSwaks(_ lab: LabRelay, to postfix: PostfixInstance) async throws {
        let result = try await Swaks(port: lab.smtpPort).send(
            from: "alice@alpha.test", to: ["carol@postfix.test"],
            message: "Message-ID: <swaks@client.test>\nSubject: swaks\n\n.dot\nlast\n")
        #expect(result.wasAccepted, "\(result.transcript)")
        #expect(result.transcript.contains("queued as"))
        let stored = try #require(await postfix.storedMessage(containing: "<swaks@client.test>"))
        #expect(String(decoding: stored, as: UTF8.self).hasSuffix("\n\n.dot\nlast\n"))
    }

    @Test(
        "Postfix with dane-only verifies our listener by its TLSA record, and the relay hands the mail to the next hop",
        .disabled(
            if: PostfixInstance.unavailableWithResolver != nil,
            "\(PostfixInstance.unavailableWithResolver?.description ?? "")"))
    func postfixSends() async throws {
        try await withTemporaryFolder { folder in
            let address = try #require(LoopbackAddress.unused(port: 25))
            let identity = try PeerIdentity("relay.test", in: folder)
            var options = LabRelayOptions()
            let (smtpPort, deliveryPort) = (Ports.unused(), Ports.unused())
            (options.smtpPort, options.deliveryPort) = (smtpPort, deliveryPort)
            options.settings = [
                // Postfix calls port 25, so that the record stands at _25._tcp as it does in the world.
                "smtp.listeners":
                    "[{name: lab, address: \"127.0.0.1:\(smtpPort)\"}, {name: mx, address: \"\(address):25\"}]",
                "tls.certificates":
                    "[{certificate: '\(identity.files.chainFile.path)', key: '\(identity.files.keyFile.path)'}]",
                "accepted-domains": "[{domain: ours.test, next-hop: \"mx.inner.test:\(deliveryPort)\"}]",
                "relay-networks": "[]",
            ]
            options.zones = [
                LabZone("ours.test", [.mx("relay.test")]),
                LabZone("relay.test", [.a("relay.test", address), .tlsa("relay.test", 3, 1, 1, identity.digest)]),
            ]
            try await LabRelay.with([.dane("inner.test")], options) { lab in
                let resolver = try await UnboundServer.start(
                    in: folder, rootServer: (lab.internet.address, lab.internet.port),
                    trustAnchorFile: lab.internet.trustAnchorFile)
                let home = folder.appending(path: "postfix")
                try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
                let postfix = try await PostfixInstance.start(
                    .sendingClient("out.alpha.test", resolverAddress: resolver.address), in: home)
                let result: Result<Void, any Error>
                do {
                    result = .success(try await self.sendsByDANE(postfix, through: lab))
                } catch {
                    result = .failure(error)
                }
                await postfix.stop()
                await resolver.stop()
                try result.get()
            }
        }
    }

    private func sendsByDANE(_ postfix: PostfixInstance, through lab: LabRelay) async throws {
        try await postfix.submit(
            from: "alice@alpha.test", to: ["bob@ours.test"], message: "Subject: by Postfix\n\nHello\n".utf8)
        #expect(await postfix.logLine(containing: "Verified TLS connection established to relay.test") != nil)
        let sent = try #require(
            await postfix.logLine(containing: "queued as"), "\(postfix.logLines(containing: "postfix"))")
        let word = try #require(sent.split(separator: "queued as ").last?.prefix(26))
        let id = try #require(MessageID(word))
        let trace = try await lab.wait(for: id) { $0.count == 2 }
        #expect(trace.map(\.kind) == [.receive, .transfer])
        #expect(trace.last?.mxHost == "mx.inner.test")
        #expect(trace.last?.authentication == .dane)
        for event in trace where event.kind == .transfer { try await lab.expectLogged(event) }
        let mail = try #require(lab.peer("inner.test").server.received.first)
        #expect(mail.recipients == ["bob@ours.test"])
        #expect(mail.text.contains("Subject: by Postfix\r\n"))
    }
}

/// A host's certificate in files, and its TLSA record.
private struct PeerIdentity {
    let files: PostfixConfiguration.Identity
    /// The data of the record 3 1 1.
    let digest: [UInt8]

    init(_ name: String, in folder: URL) throws {
        let leaf = try TestPKI(now: .now).leaf(name)
        let chain = folder.appending(path: "\(name)-chain.pem")
        let key = folder.appending(path: "\(name)-key.pem")
        try Data(leaf.chainPEM.utf8).write(to: chain)
        try Data(leaf.key.pem.utf8).write(to: key)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
        self.files = .init(chainFile: chain, keyFile: key)
        self.digest = leaf.tlsaRecord(.daneEE, .spki, .sha256).associationData
    }
}
