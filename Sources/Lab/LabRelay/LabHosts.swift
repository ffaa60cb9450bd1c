import DNSModel
import Foundation
import LabDNS
import LabPeers
import LabSupport
import MailModel
import TLSEngine

/// The MX hosts of a lab: one port for all, since the relay has one, and so an address for each.
struct LabHosts {
    let port: UInt16
    private(set) var all: [String: LabPeer] = [:]
    private(set) var zones: [LabZone] = []

    static func start(_ domains: [LabDomain], port: UInt16, pki: TestPKI) async throws -> LabHosts {
        var peers = LabHosts(port: port)
        do {
            for domain in domains { try await peers.start(domain, pki: pki) }
        } catch {
            await peers.stop()
            throw error
        }
        return peers
    }

    private init(port: UInt16) { self.port = port }

    func stop() async {
        for peer in self.all.values { await peer.server.stop() }
    }

    private mutating func start(_ domain: LabDomain, pki: TestPKI) async throws {
        let leaf = try domain.leaf ?? pki.leaf(domain.host)
        let presented: TestPKI.Leaf? =
            switch domain.presents {
            case .itsCertificate: leaf
            case .forgedCertificate: try pki.leaf(domain.host)
            case .nothing: nil
            }
        let certificates = try presented.map { try ServerCertificateStore([$0.serverCertificate()]) }
        guard let address = LoopbackAddress.unused(port: self.port) else {
            throw LabFailure("there is no loopback address with a free port \(self.port)")
        }
        let server = try await ScriptedPeer.start(
            domain.rules, hostName: domain.host, address: address, port: self.port, certificates: certificates,
            keeping: domain.retention)
        var records: [LabRecord] = [.mx(domain.host), .a(domain.host, address)] + domain.records
        let tlsa = leaf.tlsaRecord(.daneEE, .spki, .sha256)
        if domain.publishesTLSA {
            // The name has the port of the connection, which here is not 25 (RFC 7672 §2.2.3).
            records.append(.tlsa(domain.host, port: self.port, 3, 1, 1, tlsa.associationData))
        }
        self.zones.append(LabZone(domain.name, domain.condition, records))
        self.all[domain.name] = LabPeer(
            domain: domain, server: server, leaf: leaf, tlsa: domain.publishesTLSA ? "\(tlsa)" : nil)
    }
}
