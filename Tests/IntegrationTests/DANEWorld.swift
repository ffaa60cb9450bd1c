import Cryptography
import DNSModel
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import TLSEngine
import Testing

extension Trait where Self == SharedLab {
    /// The domains of `DANEDeliveryTests`: one for each verdict, each with its MX host.
    static var daneWorld: Self {
        SharedLab { body in
            var options = LabRelayOptions()
            let port = Ports.unused()
            options.deliveryPort = port
            let expired = try await ExpiredHost.start(port: port)
            options.zones = [
                expired.zone,
                LabZone("null.test", [.nullMX()]),
                // The first host is an impostor, the second the domain's own.
                LabZone("pair.test", [.mx("mx.forged.test", preference: 1), .mx("mx.bravo.test", preference: 2)]),
            ]
            do {
                try await LabRelay.with(Self.domains(port), options, body)
            } catch {
                await expired.server.stop()
                throw error
            }
            await expired.server.stop()
        }
    }

    private static func domains(_ port: UInt16) -> [LabDomain] {
        var unusable = LabDomain("unusable.test", publishesTLSA: false)
        // Usage 0 means nothing for SMTP, so TLS is owed and authentication is not (rules 13 and 14).
        unusable.records = [.tlsa(unusable.host, port: port, 0, 0, 1, Array(repeating: 7, count: 32))]
        return [
            .dane("alpha.test"), .dane("bravo.test"), .forgedCertificate("forged.test"),
            .forgedCertificate("counterfeit.test"),
            .strippedSTARTTLS("stripped.test"),
            .dane("refusing.test", rules: [.on(.startTLS, .reply("454 4.7.0 TLS not available"))]),
            .bogus("bogus.test"), LabDomain("absent.test", publishesTLSA: false), unusable,
        ]
    }
}

/// An MX host with an expired certificate whose TLSA record 2 0 1 names the root above it.
private struct ExpiredHost {
    let server: ScriptedPeer
    let zone: LabZone

    static func start(port: UInt16) async throws -> ExpiredHost {
        let name = "mx.expired.test"
        let pki = try TestPKI()
        let leaf = try pki.leaf(name, validity: .expired)
        let address = try #require(LoopbackAddress.unused(port: port))
        let server = try await ScriptedPeer.start(
            hostName: name, address: address, port: port,
            certificates: ServerCertificateStore([leaf.serverCertificate()]))
        let anchor = pki.root.certificate.tlsaRecord(usage: .daneTA, selector: .cert, matchingType: .sha256)
        let zone = LabZone(
            "expired.test",
            [.mx(name), .a(name, address), .tlsa(name, port: port, 2, 0, 1, anchor.associationData)])
        return ExpiredHost(server: server, zone: zone)
    }
}
