import Cryptography
import LabPeers
import MailModel
import NIOCore
import NIOEmbedded
import TestLiterals
import Testing
import TransportSecurity

@testable import TLSEngine

@Suite("The certificates that a server presents", .timeLimit(.minutes(3)))
struct ServerCertificateStoreTests {
    let pki: TestPKI
    init() throws { self.pki = try TestPKI() }

    @Test("A server without any certificate is refused")
    func none() {
        #expect {
            _ = try ServerCertificateStore([])
        } throws: { error in
            (error as? TLSConfigurationError)?.code == .noCertificates
        }
    }

    @Test("A certificate out of its dates is served: encryption without a valid date is better than none")
    func dates() throws {
        for validity in [TestPKI.Validity.expired, .notYetValid] {
            let leaf = try self.pki.leaf("mx.example.test", validity: validity)
            let store = try ServerCertificateStore([leaf.serverCertificate()])
            #expect(try self.presented(store, "mx.example.test") == leaf.certificate.value.der)
        }
    }

    private func presented(_ store: ServerCertificateStore, _ serverName: DomainName?) throws -> [UInt8]? {
        let client = try self.client(serverName)
        let pair = try EmbeddedPair(client, store)
        try pair.exchange()
        return client.connection.peerChain().first?.der
    }

    private func client(_ serverName: DomainName?) throws -> TLSHandler {
        try TLSHandler.client(TLSClientContext(), .mustEncrypt, serverName: serverName)
    }

    @Test("SNI chooses the certificate: exact name, then wildcard, then the default (hostile-input 17)")
    func selection() throws {
        let leaves = try ["default.test", "*.wild.test", "mx.wild.test"].map { try self.pki.leaf($0) }
        let store = try self.pki.store(leaves[0], leaves[1], leaves[2])
        let expectations: [(DomainName?, Int)] = [
            (nil, 0), ("unknown.test", 0), ("default.test", 0), ("a.wild.test", 1), ("mx.wild.test", 2),
            ("a.b.wild.test", 0), ("wild.test", 0),
        ]
        for (serverName, index) in expectations {
            #expect(
                try self.presented(store, serverName) == leaves[index].certificate.value.der,
                "\(serverName?.text ?? "-")")
        }
    }

    @Test("Certificates swap as a whole while a handshake that began before goes on")
    func swap() throws {
        let (old, new) = (try self.pki.leaf("mx.example.test"), try self.pki.leaf("mx.example.test"))
        let store = try self.pki.store(old)
        let client = try self.client("mx.example.test")
        let early = try EmbeddedPair(client, store)
        try store.replace([new.serverCertificate()], clients: nil)
        try early.exchange()
        #expect(client.connection.peerChain().first?.der == old.certificate.value.der)
        #expect(try self.presented(store, "mx.example.test") == new.certificate.value.der)
        #expect(throws: TLSConfigurationError.self) { try store.replace([], clients: nil) }
        #expect(try self.presented(store, "mx.example.test") == new.certificate.value.der)
    }
}
