import Cryptography
import DNSModel
import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Synchronization
import Testing

/// A relay between real mail servers on one small Internet, for all tests of a suite.
///
/// Each server is the MX of a domain of its own, with a certificate that the signed DNS names, and sends by MX. The relay is the
/// MX of `ours.test`, at port 25 of a loopback address of its own, with `inner.test` behind it. `plain.test` has neither
/// CHUNKING nor SMTPUTF8 nor DSN.
struct InteropWorld: Sendable {
    /// The servers, by the first label of their domain; a server that cannot run here has no entry.
    enum Peer: String, CaseIterable, Sendable {
        case postfix, exim, opensmtpd, aiosmtpd

        var domain: String { "\(self.rawValue).test" }
        var host: String { "mx.\(self.domain)" }

        /// Why it cannot run here.
        var unavailable: String? {
            switch self {
            case .postfix: PostfixInstance.unavailableWithResolver?.description
            case .exim: EximServer.unavailable
            case .opensmtpd: OpenSMTPDServer.unavailable
            case .aiosmtpd: AiosmtpdServer.unavailable
            }
        }
    }

    @TaskLocal private static var shared: InteropWorld?

    let lab: LabRelay
    private let servers: [Peer: any MailServer]

    /// The world of the suite whose test asks.
    static var current: InteropWorld {
        get throws { try #require(Self.shared, "the suite has no world") }
    }

    /// One of its servers.
    func server(_ peer: Peer) throws -> any MailServer { try #require(self.servers[peer], "\(peer) is not here") }

    // MARK: Starting

    /// Where the relay is an MX, if this process may have port 25 and its server a resolver.
    private static func with(_ peers: [Peer], _ body: () async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let port = Ports.unused()
            let places = try peers.map { try Place($0, port: port, in: folder) }
            let relay = try PeerIdentity("relay.test", in: folder)
            let address = try #require(LoopbackAddress.unused(port: 25))
            var options = LabRelayOptions()
            let smtpPort = Ports.unused()
            (options.smtpPort, options.deliveryPort) = (smtpPort, port)
            options.settings = [
                // Mail servers call port 25, so that the record stands at _25._tcp as it does in the world.
                "smtp.listeners":
                    "[{name: lab, address: \"127.0.0.1:\(smtpPort)\"}, {name: mx, address: \"\(address):25\"}]",
                "tls.certificates":
                    "[{certificate: '\(relay.files.chainFile.path)', key: '\(relay.files.keyFile.path)'}]",
                "accepted-domains": "[{domain: ours.test, next-hop: \"mx.inner.test:\(port)\"}]",
            ]
            options.zones =
                places.map(\.zone) + [
                    LabZone("ours.test", [.mx("relay.test")]),
                    LabZone("relay.test", [.a("relay.test", address), .tlsa("relay.test", 3, 1, 1, relay.digest)]),
                ]
            try await LabRelay.with([.dane("inner.test", rules: [.modern]), .dane("plain.test")], options) { lab in
                let resolver = try await UnboundServer.start(
                    in: folder, rootServer: (lab.internet.address, lab.internet.port),
                    trustAnchorFile: lab.internet.trustAnchorFile)
                let result: Result<Void, any Error>
                do {
                    let world = InteropWorld(lab: lab, servers: try await Self.start(places, asking: resolver.address))
                    result = .success(try await Self.$shared.withValue(world) { try await body() })
                    for server in world.servers.values { await server.stop() }
                } catch {
                    result = .failure(error)
                }
                await resolver.stop()
                try result.get()
            }
        }
    }

    private static func start(_ places: [Place], asking resolver: String) async throws -> [Peer: any MailServer] {
        try await withThrowingTaskGroup(of: (Peer, any MailServer).self) { group in
            for place in places { group.addTask { (place.peer, try await place.start(asking: resolver)) } }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Starts the world before the first test of a suite and ends it after the last.
    struct Shared: SuiteTrait, TestScoping {
        let peers: [Peer]

        @concurrent func provideScope(
            for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
        ) async throws {
            try await InteropWorld.with(self.peers) { try await function() }
        }
    }
}

extension Trait where Self == InteropWorld.Shared {
    /// A world with these servers.
    static func interopWorld(_ peers: InteropWorld.Peer...) -> Self { InteropWorld.Shared(peers: peers) }
}

/// Where one server is: its address, its certificate and its zone.
private struct Place: Sendable {
    let peer: InteropWorld.Peer
    let address: String
    let port: UInt16
    let identity: PeerIdentity
    let home: URL

    init(_ peer: InteropWorld.Peer, port: UInt16, in folder: URL) throws {
        self.peer = peer
        self.port = port
        self.address = try #require(LoopbackAddress.unused(port: port))
        self.identity = try PeerIdentity(peer.host, in: folder)
        self.home = folder.appending(path: peer.rawValue)
        try FileManager.default.createDirectory(at: self.home, withIntermediateDirectories: true)
    }

    var zone: LabZone {
        LabZone(
            self.peer.domain,
            [
                .mx(self.peer.host), .a(self.peer.host, self.address),
                .tlsa(self.peer.host, port: self.port, 3, 1, 1, self.identity.digest),
            ])
    }

    func start(asking resolver: String) async throws -> any MailServer {
        let settings = MailServerSettings(
            hostName: self.peer.host, address: self.address, port: self.port, identity: self.identity.files,
            acceptedDomains: [self.peer.domain], resolverAddress: resolver)
        switch self.peer {
        case .postfix: return try await PostfixInstance.start(PostfixConfiguration(settings), in: self.home)
        case .exim: return try await EximServer.start(settings, in: self.home)
        case .opensmtpd: return try await OpenSMTPDServer.start(settings, in: self.home)
        case .aiosmtpd: return try await AiosmtpdServer.start(settings, in: self.home)
        }
    }
}

extension PostfixConfiguration {
    fileprivate init(_ settings: MailServerSettings) {
        self = .receivingMX(settings.hostName, domains: settings.acceptedDomains, identity: settings.identity)
        (self.address, self.port) = (settings.address, settings.port)
        self.resolverAddress = settings.resolverAddress
    }
}

/// A host's certificate in files, and its TLSA record.
struct PeerIdentity: Sendable {
    let files: PostfixConfiguration.Identity
    /// The data of the record 3 1 1.
    let digest: [UInt8]

    init(_ name: String, in folder: URL) throws {
        let leaf = try TestPKI().leaf(name)
        let chain = folder.appending(path: "\(name)-chain.pem")
        let key = folder.appending(path: "\(name)-key.pem")
        try Data(leaf.chainPEM.utf8).write(to: chain)
        try Data(leaf.key.pem.utf8).write(to: key)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
        self.files = .init(chainFile: chain, keyFile: key)
        self.digest = leaf.tlsaRecord(.daneEE, .spki, .sha256).associationData
    }
}
