import DNSModel
import Foundation
import LabDNS
import LabPeers
import LabSupport
import MailModel
import TLSEngine
import Testing

@Suite(
    .timeLimit(.minutes(2)),
    .disabled(if: PostfixInstance.unavailable != nil, "\(PostfixInstance.unavailable?.description ?? "")"))
struct PostfixTests {
    @Test("Postfix as MX takes a message from swaks over STARTTLS and stores its bytes")
    func receives() async throws {
        try await withTemporaryFolder { folder in
            let identity = try PeerIdentity("mx.bravo.test").identity(in: folder)
            let postfix = try await PostfixInstance.start(
                .receivingMX("mx.bravo.test", domains: ["bravo.test"], identity: identity), in: folder)
            let result = try await Swaks(port: postfix.port).send(
                from: "alice@alpha.test", to: ["anybody@bravo.test"],
                message: "Subject: x\nMessage-ID: <one@alpha.test>\n\nHello\n")
            #expect(result.exitStatus == 0, "\(result.transcript)")
            let stored = try #require(await postfix.storedMessage(containing: "<one@alpha.test>"))
            let text = String(decoding: stored, as: UTF8.self)
            #expect(text.contains("using TLSv1.3"))
            #expect(text.hasSuffix("\n\nHello\n"))
            #expect(await postfix.logLine(containing: "status=sent (delivered to maildir)") != nil)
            #expect(try await postfix.queue().isEmpty)
            await postfix.stop()
        }
    }

    @Test(
        "Postfix relays by DANE to a peer whose TLSA record at _25._tcp matches, and holds mail for one that does not",
        .disabled(
            if: PostfixInstance.unavailableWithResolver != nil,
            "\(PostfixInstance.unavailableWithResolver?.description ?? "")"))
    func sendsByDANE() async throws {
        try await withTemporaryFolder { folder in
            let address = try #require(LoopbackAddress.unused(port: 25))
            let forgedAddress = try #require(LoopbackAddress.unused(port: 25))
            let good = try PeerIdentity("mx.bravo.test")
            let forged = try PeerIdentity("mx.forged.test")
            let record = good.leaf.tlsaRecord(.daneEE, .spki, .sha256).associationData
            let internet = try await SignedInternet.start(
                in: folder,
                zones: [
                    LabZone(
                        "bravo.test",
                        [.mx("mx.bravo.test"), .a("mx.bravo.test", address), .tlsa("mx.bravo.test", 3, 1, 1, record)]),
                    LabZone(
                        "forged.test",
                        [
                            .mx("mx.forged.test"), .a("mx.forged.test", forgedAddress),
                            .tlsa("mx.forged.test", 3, 1, 1, record),
                        ]),
                ])
            let resolver = try await UnboundServer.start(
                in: folder, rootServer: (internet.address, internet.port), trustAnchorFile: internet.trustAnchorFile)
            let peer = try await ScriptedPeer.start(
                hostName: "mx.bravo.test", address: address, port: 25, certificates: good.store)
            let impostor = try await ScriptedPeer.start(
                hostName: "mx.forged.test", address: forgedAddress, port: 25, certificates: forged.store)
            let home = folder.appending(path: "postfix")
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            let postfix = try await PostfixInstance.start(
                .sendingClient("out.alpha.test", resolverAddress: resolver.address), in: home)

            try await postfix.submit(
                from: "alice@alpha.test", to: ["bob@bravo.test"], message: "Subject: good\n\nHello\n".utf8)
            #expect(await peer.wait { !$0.received.isEmpty }, "\(postfix.logLines(containing: "postfix"))")
            #expect(peer.received.first?.tls?.serverName?.text == "mx.bravo.test")
            #expect(await postfix.logLine(containing: "Verified TLS connection established to mx.bravo.test") != nil)

            try await postfix.submit(
                from: "alice@alpha.test", to: ["bob@forged.test"], message: "Subject: forged\n\nHello\n".utf8)
            #expect(await postfix.logLine(containing: "status=deferred (Server certificate not ") != nil)
            #expect(impostor.received.isEmpty)
            #expect(try await postfix.queue().map(\.recipients.first?.address) == ["bob@forged.test"])

            await postfix.stop()
            await resolver.stop()
            await internet.stopServer()
            await peer.stop()
            await impostor.stop()
        }
    }
}
