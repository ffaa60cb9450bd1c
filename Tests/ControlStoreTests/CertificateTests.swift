import ClusterModel
import ControlStore
import LabDatabase
import MailModel
import PostgresDriver
import Testing

@Suite("Certificates and revocation", .timeLimit(.minutes(2)))
struct CertificateTests {
    private let change = ControlFixture.change("node.revoke", "node/mx1.example.org", reason: "stolen")

    /// A node with the key of that number.
    private func enrol(_ control: ControlFixture, key: Int = 1) async throws -> CertificateRow {
        let certificate = try ControlFixture.certificate(key: key)
        let secret = try await control.token(key)
        #expect(try await control.store.redeem(secretSHA256: secret, certificate) == .accepted)
        return certificate
    }

    @Test("control 12: a holder gets its next certificate by the key that it has, as often as it asks, and by no other")
    func renewal() async throws {
        try await ControlFixture.run { control in
            let first = try await self.enrol(control)
            let next = try ControlFixture.certificate(until: .seconds(2 * 86_400))
            for _ in 0..<2 { #expect(try await control.store.recordRenewal(next) == .recorded) }
            #expect(try await control.store.certificate(sha256: next.sha256) == next)
            #expect(try await control.store.certificate(sha256: first.sha256) == first)
            let node = try #require(try await control.store.node("mx1.example.org"))
            #expect(node.certificateNotAfter == next.notAfter)

            let before = try await control.everything()
            let other = try ControlFixture.certificate(key: 2)
            #expect(try await control.store.recordRenewal(other) == .otherKey)
            #expect(try await control.store.recordRenewal(other, replacing: ControlFixture.digest(77)) == .otherKey)
            let stranger = try ControlFixture.certificate(.node, "mx9.example.org")
            #expect(try await control.store.recordRenewal(stranger) == .unknownIdentity)
            #expect(try await control.everything() == before)
            #expect(try await control.store.certificate(sha256: other.sha256) == nil)
        }
    }

    @Test("control 12: a change of key whose reply was lost is asked for again by the former key, which then is over")
    func changeOfKey() async throws {
        try await ControlFixture.run { control in
            let first = try await self.enrol(control)
            let second = try ControlFixture.certificate(key: 2)
            for _ in 0..<2 {
                #expect(try await control.store.recordRenewal(second, replacing: first.publicKeySHA256) == .recorded)
            }
            // The former key gets nothing for itself, nor for a third one.
            #expect(try await control.store.recordRenewal(try ControlFixture.certificate(key: 1)) == .otherKey)
            let third = try ControlFixture.certificate(key: 3)
            #expect(try await control.store.recordRenewal(third, replacing: first.publicKeySHA256) == .otherKey)
            #expect(try await control.store.recordRenewal(third, replacing: second.publicKeySHA256) == .recorded)
        }
    }

    @Test("control 12: a node whose certificate has expired comes back by its old key")
    func comingBack() async throws {
        try await ControlFixture.run { control in
            let old = try ControlFixture.certificate(until: .seconds(-3600))
            let secret = try await control.token()
            #expect(try await control.store.redeem(secretSHA256: secret, old) == .accepted)
            #expect(try await control.store.certificate(sha256: old.sha256) == old)
            let next = try ControlFixture.certificate()
            #expect(try await control.store.recordRenewal(next, replacing: old.publicKeySHA256) == .recorded)
        }
    }

    @Test("control 16: a revoked node is on the list with every certificate that it has, and gets no other")
    func revocation() async throws {
        try await ControlFixture.run { control in
            let first = try await self.enrol(control)
            let second = try ControlFixture.certificate()
            #expect(try await control.store.recordRenewal(second) == .recorded)
            let before = try await control.store.revocations()
            #expect(before.fingerprints.isEmpty)
            #expect(try await control.store.revoke(first.identity, self.change))
            let after = try await control.store.revocations()
            #expect(after.fingerprints == [first.sha256, second.sha256])
            #expect(after.version == before.version + 1)
            #expect(try await control.store.cluster()?.revocationVersion == after.version)
            #expect(try await control.store.recordRenewal(try ControlFixture.certificate()) == .revoked)
            #expect(try await control.store.node("mx1.example.org")?.isRevoked == true)
            #expect(try await control.store.audit(object: "node/mx1.example.org").first?.change.reason == "stolen")
        }
    }

    @Test("control 16: only who is there can be revoked, once; a dry run tells that and revokes nobody")
    func revokingNobody() async throws {
        try await ControlFixture.run { control in
            let node = try await self.enrol(control)
            let stranger = try ControlFixture.certificate(.node, "mx9.example.org").identity
            let before = try await control.everything()
            let dry = ControlFixture.change("node.revoke", isDryRun: true)
            #expect(try await control.store.revoke(stranger, self.change) == false)
            #expect(try await control.store.revoke(stranger, dry) == false)
            #expect(try await control.store.revoke(node.identity, dry))
            #expect(try await control.everything() == before)
            #expect(try await control.store.revoke(node.identity, self.change))
            let revoked = try await control.everything()
            #expect(try await control.store.revoke(node.identity, self.change) == false)
            #expect(try await control.everything() == revoked)
        }
    }

    @Test("control 16: a person is revoked like a node")
    func person() async throws {
        try await ControlFixture.run { control in
            let root = try ControlFixture.certificate(.admin, "root").identity
            #expect(try await control.store.revoke(root, ControlFixture.change("person.revoke", "admin/root")))
            #expect(try await control.store.revocations().fingerprints.count == 1)
        }
    }

    @Test("control 16: whatever certificate is stored while its holder is revoked, none is left that counts")
    func race() async throws {
        try await ControlFixture.run(size: 8) { control in
            for round in 1...10 {
                let name = "mx\(round).example.org"
                let certificate = try ControlFixture.certificate(.node, name, key: round)
                let secret = try await control.token(round)
                #expect(try await control.store.redeem(secretSHA256: secret, certificate) == .accepted)
                try await withThrowingTaskGroup { group in
                    for _ in 0..<6 {
                        group.addTask {
                            _ = try await control.store.recordRenewal(
                                try ControlFixture.certificate(.node, name, key: round))
                        }
                    }
                    group.addTask {
                        _ = try await control.store.revoke(certificate.identity, ControlFixture.change("node.revoke"))
                    }
                    try await group.waitForAll()
                }
            }
            let counting = try await control.superuser.query(
                Statement("SELECT count(*) FROM control.certificate WHERE role = 'node' AND revoked_at IS NULL")
            ).single().get(0, as: Int64.self)
            #expect(counting == 0)
        }
    }

    @Test("control 16: the list has only what has not expired")
    func expired() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            let short = try ControlFixture.certificate(until: .milliseconds(300))
            #expect(try await control.store.redeem(secretSHA256: secret, short) == .accepted)
            #expect(try await control.store.revoke(short.identity, self.change))
            try await control.superuser.script("UPDATE control.certificate SET not_after = now() WHERE role = 'node'")
            #expect(try await control.store.revocations().fingerprints.isEmpty)
        }
    }

    @Test("What is over is forgotten after its time; the latest certificate of each holder stays")
    func sweep() async throws {
        try await ControlFixture.run { control in
            _ = try await self.enrol(control)
            let latest = try ControlFixture.certificate()
            #expect(try await control.store.recordRenewal(latest) == .recorded)
            try await control.superuser.script(
                """
                UPDATE control.certificate SET not_after = now() - interval '1 day';
                UPDATE control.token SET expires_at = now() - interval '1 day'
                """)
            let term = try #require(
                try await control.store.lead("c1", incarnation: PostgresUUID(high: 1, low: 1), for: .seconds(60)))
            #expect(try await control.store.sweep(RetentionTerms(), under: term))
            let kept = [try await control.count("certificate"), try await control.count("token")]
            #expect(kept == [3, 1])
            var terms = RetentionTerms()
            terms.certificates = .seconds(3600)
            terms.tokens = .seconds(3600)
            #expect(try await control.store.sweep(terms, under: term))
            #expect(try await control.count("certificate") == 2)
            #expect(try await control.count("token") == 0)
            #expect(try await control.count("token_use") == 0)
            #expect(try await control.store.certificate(sha256: latest.sha256) != nil)
        }
    }
}
