import Cryptography
import Foundation
import GRPCTransport
import LabPeers
import LabSupport
import MailModel
import TLSEngine
import TransportSecurity

/// Certificates of a cluster, and both sides' configurations.
struct GRPCWorld {
    private static let name = "controller.bench.test"
    private let pki: TestPKI
    private let controller, node: TestPKI.Leaf

    init() throws {
        self.pki = try TestPKI(now: Timestamp(seconds: Int64(Date().timeIntervalSince1970)))
        self.controller = try self.pki.leaf(Self.name)
        self.node = try self.pki.leaf("node.bench.test")
    }

    func server(streams: Int) throws -> GRPCServerTransport.Configuration {
        let store = try ServerCertificateStore(
            [self.controller.serverCertificate()], applicationProtocols: ["h2"],
            clients: RecognisedClients(authorities: [self.pki.root.certificate], fingerprints: []))
        var configuration = GRPCServerTransport.Configuration(
            addresses: [.host("127.0.0.1", port: 0)], security: .tls(store), random: { 0.5 })
        configuration.connection.http2.concurrentStreams = streams
        return configuration
    }

    func client(port: Int) throws -> GRPCClientTransport.Configuration {
        guard let name = DomainName(Self.name) else { throw LabFailure("not a name: \(Self.name)") }
        let context = try TLSClientContext(
            authorities: ["cluster": [self.pki.root.certificate]], identity: self.node.serverCertificate(),
            applicationProtocols: ["h2"])
        let requirement = TLSRequirement.mustVerify(
            CertificateVerification(name: name, authorities: .file("cluster")))
        return GRPCClientTransport.Configuration(
            addresses: [.host("127.0.0.1", port: port)], security: .tls(context, requirement), authority: Self.name,
            random: { 0.5 })
    }

    /// The certificates as files: chain and key of the server, those of the client, and the root.
    func files(in folder: URL) throws -> [String] {
        let texts = [
            self.controller.chainPEM, self.controller.key.pem, self.node.chainPEM, self.node.key.pem,
            self.pki.root.certificate.pem,
        ]
        return try texts.enumerated().map { number, text in
            let file = folder.appending(path: "\(number).pem")
            try Data(text.utf8).write(to: file)
            return file.path
        }
    }
}
