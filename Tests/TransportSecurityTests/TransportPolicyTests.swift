import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing
import TransportSecurity

/// What one attempt owes, of DANE and of the operator's policy together.
@Suite("Policy and DANE")
struct TransportPolicyTests {
    static let good = Story.record(3)
    static let wanted = CertificateVerification(name: "mail.example.org", authorities: .system)
    static let policies: [TransportPolicy] = [.opportunistic, .encrypt, .dane, .verify(Self.wanted), .excepted]

    /// A host by what DANE says of it.
    enum Host: CaseIterable {
        case plain, unusable, secure, insecureMX, unavailable, withoutAddress

        var planned: PlannedHost {
            switch self {
            case .plain: Story.plainHost
            case .unusable: Story.host(Story.record(0))
            case .secure: Story.host(good)
            case .insecureMX: Story.host(good, trust: .insecureMX)
            case .unavailable:
                PlannedHost(
                    name: Story.mx, addresses: [], requirement: .unavailable(.timeout),
                    failure: .dnssecInvalid(DNSQuestion(Story.mx, .tlsa), .timeout))
            case .withoutAddress:
                PlannedHost(
                    name: Story.mx, addresses: [], requirement: .opportunistic, failure: .noAddress(Story.mx))
            }
        }
    }

    private static func owed(_ host: Host, _ policy: TransportPolicy) -> String {
        switch AttemptRequirement.of(host.planned, by: policy) {
        case .failure(let skipped): skipped.reason.name
        case .success(let requirement):
            switch requirement.tls {
            case .mustAuthenticate: "authenticate"
            case .mustVerify(let verification): verification == self.wanted ? "verify" : "verify something else"
            case .mustEncrypt: "encrypt"
            case .opportunistic: "nothing"
            }
        }
    }

    @Test(
        "Each policy adds to what DANE demands; only an exception takes from it, and none makes up for a failed look-up",
        arguments: [
            // opportunistic, encrypt, dane, verify, excepted
            (Host.plain, ["nothing", "encrypt", "dnssec-invalid", "verify", "nothing"]),
            (.unusable, ["encrypt", "encrypt", "dnssec-invalid", "verify", "nothing"]),
            (.secure, ["authenticate", "authenticate", "authenticate", "authenticate", "nothing"]),
            (.insecureMX, ["authenticate", "authenticate", "dnssec-invalid", "verify", "nothing"]),
            (.unavailable, Array(repeating: "dnssec-invalid", count: 5)),
            (.withoutAddress, Array(repeating: "no-usable-route", count: 5)),
        ])
    func table(_ host: Host, _ expected: [String]) {
        #expect(Self.policies.map { Self.owed(host, $0) } == expected)
    }

    @Test("Where OpenSSL finds no record usable, what the policy demands is left: nothing under dane (rule 14)")
    func withoutUsableRecords() throws {
        let left = try Self.policies.dropLast().map { policy in
            try AttemptRequirement.of(Story.host(Self.good), by: policy).get().withoutUsableRecords?.tls
        }
        #expect(left == [.mustEncrypt, .mustEncrypt, nil, .mustVerify(Self.wanted)])
    }

    @Test("SNI is the name that the certificate is verified for, else the TLSA base domain (rule 20)")
    func serverName() throws {
        func name(_ host: PlannedHost) throws -> DomainName? {
            try AttemptRequirement.of(host, by: .verify(Self.wanted)).get().serverName
        }
        #expect(try name(Story.plainHost) == Self.wanted.name)
        #expect(
            try name(PlannedHost(name: nil, addresses: [Story.address], requirement: .opportunistic))
                == Self.wanted.name)
        #expect(try name(Story.host(Self.good)) == Story.mx)
    }

    @Test("Under verify the proof that was asked for delivers, and nothing else does: each failure has its name")
    func decisions() throws {
        let requirement = try AttemptRequirement.of(Story.plainHost, by: .verify(Self.wanted)).get()
        let other = CertificateVerification(name: Self.wanted.name, authorities: .file("/etc/other.pem"))
        let decisions: [(AttemptEvent, AttemptDecision)] = [
            (.established(.authority(CertifiedPeer(Self.wanted))), .deliver(.tls)),
            (.established(.authority(CertifiedPeer(other))), .nextHost(.certificateNotTrusted)),
            (.handshakeFailed(.certificateExpired), .nextHost(.certificateExpired)),
            (.handshakeFailed(.nameMismatch), .nextHost(.certificateHostMismatch)),
            (.handshakeFailed(.untrusted), .nextHost(.certificateNotTrusted)),
            (.handshakeFailed(.certificateNotYetValid), .nextHost(.certificateNotTrusted)),
            (.handshakeFailed(.chainBeyondLimit), .nextHost(.certificateNotTrusted)),
            (.established(.none), .nextHost(.certificateNotTrusted)),
            (.established(.dane(Story.peer(Self.good))), .nextHost(.certificateNotTrusted)),
            (.startTLSUnavailable, .nextHost(.startTLSNotSupported)),
            (.handshakeFailed(.disagreement), .nextHost(.tlsHandshakeFailed)),
            (.handshakeFailed(.nameRejected), .nextHost(.tlsHandshakeFailed)),
            (.connectionFailed(.connectionRefused), .nextHost(.connectionRefused)),
        ]
        for (event, decision) in decisions { #expect(requirement.decide(event) == decision, "\(event)") }
        // A certificate is no proof by a TLSA record.
        let dane = try AttemptRequirement.of(Story.host(Self.good), by: .dane).get()
        #expect(dane.decide(.established(.authority(CertifiedPeer(Self.wanted)))) == .nextHost(.tlsaInvalid))
    }

    @Test("encrypt without records never leads to cleartext, whatever happens", arguments: AttemptTests.misfortunes)
    func neverInClear(_ event: AttemptEvent) throws {
        let decision = try AttemptRequirement.of(Story.plainHost, by: .encrypt).get().decide(event)
        #expect(![.deliver(.none), .retrySameHost(.withoutServerName), .retrySameHost(.cleartext)].contains(decision))
    }

    @Test("certificate-host-mismatch and certificate-not-trusted are 4.7.323, and never a bounce at once")
    func codes() {
        for failure in [FailureReason.certificateHostMismatch, .certificateNotTrusted] {
            #expect("\(failure.transientStatus)" == "4.7.323" && "\(failure.permanentStatus)" == "5.7.323")
            #expect(!failure.isPermanent && failure.isSecurityFailure)
        }
    }

    @Test("A connection serves only mail of the same policy, and under verify only with the same proof")
    func reuse() throws {
        func serves(
            _ policy: TransportPolicy, _ proof: PeerProof, _ later: TransportPolicy
        ) throws -> Bool {
            let requirements = try [policy, later].map { try AttemptRequirement.of(Story.plainHost, by: $0).get() }
            let keys = requirements.map {
                ConnectionReuseKey(host: Story.mx, address: Story.address, port: 25, requirement: $0)
            }
            return WarmConnection(key: keys[0], nextHopDomain: nil, proof: proof)
                .serves(keys[1], requirement: requirements[1], nextHopDomain: "bob.example")
        }
        let verify = TransportPolicy.verify(Self.wanted)
        let proof = PeerProof.authority(CertifiedPeer(Self.wanted))
        let other = CertificateVerification(name: "other.example.org", authorities: .system)
        #expect(try serves(verify, proof, verify))
        #expect(try !serves(verify, .none, verify))
        #expect(try !serves(verify, proof, .verify(other)))
        #expect(try !serves(.encrypt, .none, verify) && !serves(.opportunistic, .none, .encrypt))
        #expect(try serves(.encrypt, .none, .encrypt))
    }
}
