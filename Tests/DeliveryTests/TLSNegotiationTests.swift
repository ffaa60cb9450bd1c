import DANE
import DNSModel
import DeliveryQueue
import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import OperatingSystem
import TLSEngine
import TestLiterals
import Testing
import TransportSecurity

@testable import Delivery

/// From STARTTLS to the first reply over TLS: what is no TLS is a failed handshake, whatever form it takes.
@Suite("Negotiating TLS with a host", .timeLimit(.minutes(3)))
struct TLSNegotiationTests {
    /// What a host does once it was asked for TLS.
    enum Misbehaviour: CaseIterable {
        case noAnswerToSTARTTLS, garbageForReply, unexpectedReply, hangsUpAtSTARTTLS
        case bytesBehindTheReply, garbageForTLS, hangsUpInHandshake, silentInHandshake

        func play(_ server: ScriptedServer) throws {
            switch self {
            case .noAnswerToSTARTTLS: return server.wait(301)
            case .garbageForReply: return try server.say("xyz")
            case .unexpectedReply: return try server.say("354 go ahead")
            case .hangsUpAtSTARTTLS: return server.hangUp()
            case .bytesBehindTheReply: return try server.say("220 go", "250 injected")
            case .garbageForTLS, .hangsUpInHandshake, .silentInHandshake: try server.say("220 go")
            }
            switch self {
            case .garbageForTLS: try? server.say("this is not TLS")
            case .hangsUpInHandshake: server.hangUp()
            case .silentInHandshake: server.wait(301)
            default: ()
            }
        }
    }

    /// A host that has been asked for TLS.
    private func asked(
        _ tls: TLSRequirement, offer: TLSOffer = .full,
        patience: @escaping (ConnectionPhase) -> ConnectionAdmission.Patience = { _ in .stay }
    ) throws -> ScriptedServer {
        let server = try ScriptedServer(tls, offer: offer, patience: patience)
        try server.say("220 mx")
        try server.say("250-mx", "250 STARTTLS")
        #expect(try server.heard().last == "STARTTLS")
        return server
    }

    @Test(
        "hostile-input 19: where TLS is owed, whatever is said instead of it is 4.7.323, and counts as a security failure (field D5)",
        arguments: Misbehaviour.allCases)
    func owed(_ misbehaviour: Misbehaviour) throws {
        let server = try self.asked(.mustEncrypt)
        try misbehaviour.play(server)
        let failure = try #require(server.openingFailure)
        #expect(failure.failure == .tlsHandshakeFailed)
        let told = failure.told
        #expect("\(told.status)" == "4.7.323" && told.failureClass == .security)
        #expect(!failure.detail.isEmpty && !server.channel.isActive)
    }

    @Test(
        "Rule 28: where TLS is not owed, the same is followed by cleartext on a new connection (field C5)",
        arguments: Misbehaviour.allCases)
    func opportunistic(_ misbehaviour: Misbehaviour) throws {
        let server = try self.asked(.opportunistic)
        try misbehaviour.play(server)
        #expect(server.retry?.offer == .cleartext)
        #expect(!server.channel.isActive)
    }

    // MARK: Behind the handshake

    private static let alert = TLSFailure(.refusedByPeer, "tlsv13 alert certificate required")

    /// How a connection may end on which TLS has begun.
    enum End: CaseIterable {
        case alert, closed, reset, silence, endlessReply, garbage

        /// Whatever it does comes over TLS, where it says anything at all.
        func play(_ server: ScriptedServer, _ peer: EmbeddedChannel) throws {
            switch self {
            case .alert:
                server.channel.pipeline.fireUserInboundEventTriggered(TLSEvent.truncated(TLSNegotiationTests.alert))
            case .closed: server.channel.pipeline.fireUserInboundEventTriggered(TLSEvent.closedByPeer)
            case .reset: server.hangUp()
            case .silence: server.wait(301)
            case .endlessReply:
                try TLSNegotiationTests.say("250-mx\r\n", peer, to: server)
                server.wait(301)
            case .garbage: try TLSNegotiationTests.say("xyz\r\n", peer, to: server)
            }
        }
    }

    /// The peer says this over TLS.
    private static func say(_ text: String, _ peer: EmbeddedChannel, to server: ScriptedServer) throws {
        peer.writeAndFlush(ByteBuffer(string: text), promise: nil)
        while let bytes = try peer.readOutbound(as: ByteBuffer.self) { try server.channel.writeInbound(bytes) }
    }

    /// What the client has said over TLS since the last question.
    private static func heard(by peer: EmbeddedChannel, from server: ScriptedServer) throws -> String {
        while let bytes = try server.channel.readOutbound(as: ByteBuffer.self) { try peer.writeInbound(bytes) }
        var text = ""
        while let bytes = try peer.readInbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    /// A host with which the handshake is complete, on a real connection of TLS.
    private func secured(
        _ tls: TLSRequirement, leaf: TestPKI.Leaf? = nil,
        patience: @escaping (ConnectionPhase) -> ConnectionAdmission.Patience = { _ in .stay }
    ) throws -> (ScriptedServer, EmbeddedChannel) {
        let leaf = try leaf ?? TestPKI().leaf("mx.bravo.test")
        let store = try ServerCertificateStore([leaf.serverCertificate()])
        let peer = EmbeddedChannel()
        try peer.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).wait()
        try peer.pipeline.syncOperations.addHandler(TLSHandler.server(store))
        let server = try self.asked(tls, patience: patience)
        try server.say("220 go")
        var hasMoved = true
        while hasMoved {
            hasMoved = false
            for (from, to) in [(server.channel, peer), (peer, server.channel)] {
                while let bytes = try from.readOutbound(as: ByteBuffer.self) {
                    hasMoved = true
                    try to.writeInbound(bytes)
                }
            }
        }
        #expect(try peer.readInbound(as: ByteBuffer.self) == ByteBuffer(string: "EHLO relay.test\r\n"))
        return (server, peer)
    }

    @Test(
        "No reply over TLS, whatever comes instead, is a failed handshake: in clear where TLS is not owed, else 4.7.323 (field C5, D5)",
        arguments: End.allCases, [true, false])
    func endsBehindHandshake(_ end: End, _ isOwed: Bool) throws {
        let (server, peer) = try self.secured(isOwed ? .mustEncrypt : .opportunistic)
        #expect(server.opened == nil)
        try end.play(server, peer)
        #expect(!server.channel.isActive)
        if isOwed {
            #expect(server.openingFailure?.failure == .tlsHandshakeFailed)
            let told = server.openingFailure?.told
            #expect(told.map { "\($0.status)" } == "4.7.323" && told?.failureClass == .security)
            if end == .alert { #expect(server.openingFailure?.detail == Self.alert.text) }
        } else {
            #expect(server.retry?.offer == .cleartext)
            if end == .alert { #expect(server.retry?.failure == Self.alert) }
        }
    }

    @Test(
        "Once a host has replied over TLS its handshake has not failed, however it goes on, and nothing goes in clear",
        arguments: End.allCases)
    func endsBehindReply(_ end: End) throws {
        let (server, peer) = try self.secured(.opportunistic)
        try Self.say("250 mx\r\n", peer, to: server)
        server.begin("bob@bravo.test")
        #expect(try Self.heard(by: peer, from: server) == "MAIL FROM:<alice@alpha.test>\r\n")
        try Self.say("250 OK\r\n", peer, to: server)
        #expect(try Self.heard(by: peer, from: server) == "RCPT TO:<bob@bravo.test>\r\n")
        #expect(server.begun == nil)
        try end.play(server, peer)
        #expect(server.isReady && !server.channel.isActive)
        #expect(server.beginningFailure?.failure == (end == .garbage ? .protocolViolation : .connectionLost))
    }

    @Test(
        "A host that stalls in TLS while others wait has failed the handshake, too (field A4, C5)",
        arguments: [true, false])
    func outOfTime(_ isSecured: Bool) throws {
        for isOwed in [true, false] {
            let tls = isOwed ? TLSRequirement.mustEncrypt : .opportunistic
            var patience = ConnectionAdmission.Patience.stay
            let server: ScriptedServer
            if isSecured {
                (server, _) = try self.secured(tls, patience: { _ in patience })
            } else {
                server = try self.asked(tls, patience: { _ in patience })
                try server.say("220 go")
            }
            server.wait(1)
            #expect(server.opened == nil)
            patience = .timeIsUp
            server.wait(1)
            #expect(!server.channel.isActive)
            #expect(server.openingFailure?.failure == (isOwed ? .tlsHandshakeFailed : nil))
            #expect(server.retry?.offer == (isOwed ? nil : .cleartext))
        }
    }

    // MARK: Records

    @Test(
        "dane-rules 14: records that OpenSSL rejects one and all leave TLS without authentication; one that it takes counts (field D10)",
        arguments: [true, false])
    func rejectedRecords(_ isOneGood: Bool) throws {
        let leaf = try TestPKI().leaf("mx.bravo.test")
        // Neither a key nor a certificate, which Core was told that they are.
        let bad: [TLSARecord] = [.init(3, 1, 0, [1, 2, 3]), .init(2, 0, 0, [4, 5, 6])]
        let authentication = DANEAuthentication(
            records: bad + (isOneGood ? [leaf.tlsaRecord(.daneEE, .spki, .sha256)] : []),
            baseDomain: TLSABaseDomain("mx.bravo.test"), referenceIdentifiers: ["mx.bravo.test"])
        let (server, peer) = try self.secured(.mustAuthenticate(authentication), leaf: leaf)
        try Self.say("250 mx\r\n", peer, to: server)
        guard case .ready(let established)? = server.opened else {
            Issue.record("\(String(describing: server.opened))")
            return
        }
        #expect((established.peer != nil) == isOneGood)
        #expect(established.isWithoutUsableRecords == !isOneGood)
        #expect(established.info?.version == "TLSv1.3")
    }

    @Test("dane-rules 14: no rejected record stands for those that were left out (field D10, A1)")
    func rejectedAndLeftOut() throws {
        let records = (0..<9).map { TLSARecord(2, 1, 0, [1, 2, $0]) }
        let authentication = DANEAuthentication(
            records: records, baseDomain: TLSABaseDomain("mx.bravo.test"), referenceIdentifiers: ["mx.bravo.test"])
        let server = try self.asked(.mustAuthenticate(authentication))
        try server.say("220 go")
        #expect(server.openingFailure?.failure == .tlsHandshakeFailed)
        #expect(!server.channel.isActive)
    }

    // MARK: SNI

    @Test("A host that rejects our name in SNI is asked for TLS without one, and then in clear (field C5)")
    func serverNameRejected() throws {
        let rejected = TLSEvent.clientHandshake(
            .failed(TLSFailure(.nameRejected, "tlsv1 unrecognized name"), refusedChain: []))
        for (offer, next) in [
            (TLSOffer.full, TLSOffer.withoutServerName), (.withoutServerName, .cleartext),
        ] {
            let server = try self.asked(.opportunistic, offer: offer)
            try server.say("220 go")
            let hello = try server.channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
            #expect(hello?.contains("mx.bravo.test") == (offer == .full))
            server.channel.pipeline.fireUserInboundEventTriggered(rejected)
            #expect(server.retry?.offer == next)
        }
        let owed = try self.asked(.mustEncrypt)
        try owed.say("220 go")
        owed.channel.pipeline.fireUserInboundEventTriggered(rejected)
        #expect(owed.openingFailure?.failure == .tlsHandshakeFailed)
    }
}

extension TLSARecord {
    fileprivate init(_ usage: UInt8, _ selector: UInt8, _ type: UInt8, _ data: [UInt8]) {
        self.init(
            usage: .init(rawValue: usage), selector: .init(rawValue: selector), matchingType: .init(rawValue: type),
            associationData: data)
    }
}
