import Cryptography
import DANE
import DNSModel
import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import OperatingSystem
import TLSEngine
import TestLiterals
import TransportSecurity

/// Keeps what reaches the handler behind TLS, in order.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var events: [TLSEvent] = []
    private(set) var bytes: [UInt8] = []
    private(set) var bytesBeforeOutcome = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = Self.unwrapInboundIn(data)
        if self.events.isEmpty { self.bytesBeforeOutcome += buffer.readableBytes }
        self.bytes += buffer.readableBytesView
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSEvent { self.events.append(event) }
        context.fireUserInboundEventTriggered(event)
    }

    var clientOutcome: TLSClientOutcome? {
        for case .clientHandshake(let outcome) in self.events { return outcome }
        return nil
    }

    var serverOutcome: TLSServerOutcome? {
        for case .serverHandshake(let outcome) in self.events { return outcome }
        return nil
    }
}

/// One end of a connection without sockets.
struct Endpoint {
    let channel = EmbeddedChannel()
    let recorder = Recorder()

    init(_ handler: TLSHandler) throws {
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/lab")).wait()
        try self.channel.pipeline.syncOperations.addHandlers([handler, self.recorder])
    }

    func send(_ text: String) { self.channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }

    /// Everything it wants to send by now.
    func output() throws -> [ByteBuffer] {
        var output: [ByteBuffer] = []
        while let next = try self.channel.readOutbound(as: ByteBuffer.self) { output.append(next) }
        return output
    }
}

/// Our client and our server, joined without sockets.
struct EmbeddedPair {
    let client, server: Endpoint

    init(
        _ requirement: TLSRequirement, serverName: DomainName? = nil, by context: TLSClientContext? = nil,
        _ store: ServerCertificateStore
    ) throws {
        self.client = try Endpoint(.client(context ?? TLSClientContext(), requirement, serverName: serverName))
        self.server = try Endpoint(.server(store))
    }

    /// A client whose handler the test keeps.
    init(_ client: TLSHandler, _ store: ServerCertificateStore) throws {
        self.client = try Endpoint(client)
        self.server = try Endpoint(.server(store))
    }

    /// Carries bytes both ways until both are quiet, in pieces of `chunk` bytes.
    func exchange(chunk: Int = .max) throws {
        var moved = true
        while moved {
            moved = try Self.carry(self.client, self.server, chunk)
            moved = try Self.carry(self.server, self.client, chunk) || moved
        }
    }

    private static func carry(_ from: Endpoint, _ to: Endpoint, _ chunk: Int) throws -> Bool {
        let output = try from.output()
        for var buffer in output {
            while to.channel.isActive, let piece = buffer.readSlice(length: min(chunk, buffer.readableBytes)),
                piece.readableBytes > 0
            {
                try to.channel.writeInbound(piece)
            }
        }
        return !output.isEmpty
    }
}

extension TLSRequirement {
    /// Authenticate by these records at `mx.example.test`.
    static func dane(_ records: TLSARecord..., also: DomainName...) -> Self {
        let base: DomainName = "mx.example.test"
        return .mustAuthenticate(
            DANEAuthentication(
                records: records, baseDomain: TLSABaseDomain(base), referenceIdentifiers: [base] + also))
    }
}

extension TestPKI {
    /// What a certificate of an authority says.
    static func authority(_ name: String, until end: Duration = .seconds(86_400 * 365)) -> CertificateRequest {
        CertificateRequest(
            commonName: name, notBefore: Timestamp.systemNow + .seconds(-86_400 * 30),
            notAfter: Timestamp.systemNow + end,
            isAuthority: true)
    }

    /// A store that presents these leaves, even expired ones.
    func store(_ leaves: Leaf...) throws -> ServerCertificateStore {
        try ServerCertificateStore(leaves.map { try $0.serverCertificate() })
    }
}

extension TLSARecord {
    /// The same record with its last byte changed.
    var wrong: TLSARecord {
        var data = self.associationData
        data[data.count - 1] ^= 1
        return TLSARecord(
            usage: self.usage, selector: self.selector, matchingType: self.matchingType, associationData: data)
    }
}

extension TestPKI.Leaf {
    /// The same leaf with another chain behind it.
    func presenting(_ chain: [Certificate]) -> TestPKI.Leaf {
        TestPKI.Leaf(certificate: self.certificate, key: self.key, chainPEM: chain.map(\.pem).joined())
    }
}
