import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing
import TransportSecurity

/// dane-rules 7, 14, 16 to 21, 23, 25 and 28: what one attempt must prove, and what follows from what happened.
@Suite("One attempt")
struct AttemptTests {
    static let good = Story.record(3)

    /// Every event that is not a proof.
    static let misfortunes: [AttemptEvent] =
        [
            .connectionFailed(.connectionRefused), .startTLSUnavailable, .established(.none),
        ] + TLSFault.allCases.map { .handshakeFailed($0) }

    private func requirement(_ host: PlannedHost) throws -> AttemptRequirement {
        try AttemptRequirement.of(host, by: .opportunistic).get()
    }

    @Test("dane-rules 23: where authentication is owed, nothing but a proof delivers", arguments: Self.misfortunes)
    func nothingButProof(_ event: AttemptEvent) throws {
        guard case .nextHost = try self.requirement(Story.host(Self.good)).decide(event) else {
            Issue.record("\(event) must lead to the next host")
            return
        }
    }

    @Test("dane-rules 25, 28: where TLS is owed, no event leads to cleartext", arguments: Self.misfortunes)
    func neverInClear(_ event: AttemptEvent) throws {
        for host in [Story.host(Self.good), Story.host(Story.record(0))] {
            let decision = try self.requirement(host).decide(event)
            #expect(decision != .deliver(.none))
            if case .retrySameHost = decision { Issue.record("\(event) offers less") }
        }
    }

    @Test("dane-rules 25: no STARTTLS, or one refused, is 321 under authenticate and under encrypt")
    func startTLSUnavailable() throws {
        for host in [Story.host(Self.good), Story.host(Story.record(0))] {
            let decision = try self.requirement(host).decide(.startTLSUnavailable)
            #expect(decision == .nextHost(.startTLSNotSupported))
        }
    }

    @Test("dane-rules 14: records that are all unusable make TLS mandatory, and any TLS good enough")
    func encryptOnly() throws {
        let requirement = try self.requirement(Story.host(Story.record(1)))
        #expect(requirement.tls == .mustEncrypt)
        #expect(requirement.decide(.established(.none)) == .deliver(.tls))
        #expect(requirement.decide(.handshakeFailed(.disagreement)) == .nextHost(.tlsHandshakeFailed))
    }

    @Test("dane-rules 16, 18: a matching usable record delivers as auth=dane")
    func authenticated() throws {
        let requirement = try self.requirement(Story.host(Story.record(2), Self.good))
        #expect(requirement.decide(.established(.dane(Story.peer(Self.good)))) == .deliver(.dane))
        let anchored = Story.peer(Story.record(2), named: Story.mx)
        #expect(requirement.decide(.established(.dane(anchored))) == .deliver(.dane))
    }

    @Test("dane-rules 17: a DANE-TA proof without a reference identifier is none")
    func unnamedProof() throws {
        let requirement = try self.requirement(Story.host(Story.record(2)))
        let unnamed = Story.peer(Story.record(2))
        let misnamed = Story.peer(Story.record(2), named: "other.test")
        #expect(requirement.decide(.established(.dane(unnamed))) == .nextHost(.tlsaInvalid))
        #expect(requirement.decide(.established(.dane(misnamed))) == .nextHost(.tlsaInvalid))
    }

    @Test("dane-rules 26: a proof by other records is none")
    func foreignProof() throws {
        let requirement = try self.requirement(Story.host(Self.good))
        let foreign = Story.peer(Story.record(3, fill: 9))
        #expect(requirement.decide(.established(.dane(foreign))) == .nextHost(.tlsaInvalid))
    }

    @Test("dane-rules 7: a host that an insecure MX named is authenticated, but never called auth=dane")
    func insecureMX() throws {
        let requirement = try self.requirement(Story.host(Self.good, trust: .insecureMX))
        #expect(requirement.decide(.established(.dane(Story.peer(Self.good)))) == .deliver(.tls))
        #expect(requirement.decide(.established(.none)) == .nextHost(.tlsaInvalid))
    }

    @Test("dane-rules 19: expiry is 322, any other mismatch 323, and neither bounces at once")
    func mismatch() throws {
        let requirement = try self.requirement(Story.host(Story.record(2)))
        #expect(requirement.decide(.handshakeFailed(.certificateExpired)) == .nextHost(.certificateExpired))
        for fault in [TLSFault.certificateNotYetValid, .nameMismatch, .noRecordMatched, .untrusted, .chainBeyondLimit] {
            #expect(requirement.decide(.handshakeFailed(fault)) == .nextHost(.tlsaInvalid))
        }
        #expect(!FailureReason.certificateExpired.isPermanent && !FailureReason.tlsaInvalid.isPermanent)
    }

    @Test("dane-rules 20: SNI is the TLSA base domain, also where none of its records is usable")
    func serverName() throws {
        let base = TLSABaseDomain("mail.example.net")
        for usage: UInt8 in [0, 3] {
            let set = TLSARecordSet([Story.record(usage)], at: base) { _ in true }
            let host = PlannedHost(name: Story.mx, addresses: [Story.address], requirement: .encrypt, tlsa: set)
            #expect(try self.requirement(host).serverName == base.name)
        }
        #expect(try self.requirement(Story.plainHost).serverName == Story.mx)
    }

    @Test("dane-rules 21: a handshake that cannot agree where TLS is owed is deferred as 323, not sent in clear")
    func handshakeFailure() throws {
        let owed = try self.requirement(Story.host(Self.good))
        #expect(owed.decide(.handshakeFailed(.disagreement)) == .nextHost(.tlsHandshakeFailed))
        #expect(FailureReason.tlsHandshakeFailed.transientStatus.description == "4.7.323")
    }

    @Test("dane-rules 28: an opportunistic handshake that fails is retried on the same host in clear")
    func opportunisticFallback() throws {
        let requirement = try self.requirement(Story.plainHost)
        #expect(requirement.decide(.handshakeFailed(.disagreement)) == .retrySameHost(.cleartext))
        #expect(requirement.decide(.startTLSUnavailable) == .deliver(.none))
        #expect(requirement.decide(.established(.none)) == .deliver(.tls))
        #expect(requirement.decide(.connectionFailed(.connectionTimeout)) == .nextHost(.connectionTimeout))
    }

    @Test("dane-rules 20, 28: a host that rejects our SNI is asked for TLS without, where no TLS is owed (field C5)")
    func serverNameRejected() throws {
        let opportunistic = try self.requirement(Story.plainHost)
        let rejected = AttemptEvent.handshakeFailed(.nameRejected)
        #expect(opportunistic.decide(rejected) == .retrySameHost(.withoutServerName))
        #expect(opportunistic.decide(rejected, offering: .withoutServerName) == .retrySameHost(.cleartext))
        let unnamed = PlannedHost(name: nil, addresses: [Story.address], requirement: .opportunistic)
        #expect(try self.requirement(unnamed).decide(rejected) == .retrySameHost(.cleartext))
        for host in [Story.host(Self.good), Story.host(Story.record(0))] {
            #expect(try self.requirement(host).decide(rejected) == .nextHost(.tlsHandshakeFailed))
        }
    }

    @Test("dane-rules 2: a host whose look-up failed is skipped, and says why")
    func skipped() {
        let question = DNSQuestion(Story.mx, .tlsa)
        let host = PlannedHost(
            name: Story.mx, addresses: [], requirement: .unavailable(.timeout),
            failure: .dnssecInvalid(question, .timeout))
        #expect(AttemptRequirement.of(host, by: .opportunistic) == .failure(HostSkipped(reason: .dnssecInvalid)))
        let unexplained = PlannedHost(name: Story.mx, addresses: [], requirement: .unavailable(.timeout))
        #expect(AttemptRequirement.of(unexplained, by: .opportunistic) == .failure(HostSkipped(reason: .dnssecInvalid)))
    }
}
