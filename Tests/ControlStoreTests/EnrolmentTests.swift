import ClusterModel
import ControlStore
import LabDatabase
import MailModel
import PostgresDriver
import Testing

@Suite("Enrolment by a token", .timeLimit(.minutes(2)))
struct EnrolmentTests {
    /// Redeems a token many times at once.
    private func together(
        _ count: Int, _ body: @Sendable @escaping (Int) async throws -> Redemption
    ) async throws -> [Redemption] {
        try await withThrowingTaskGroup { group in
            for number in 0..<count { group.addTask { try await body(number) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test("control 11: a hundred calls at once of one token and one key enrol once, and all get the same certificate")
    func sameKey() async throws {
        try await ControlFixture.run(size: 10) { control in
            let secret = try await control.token(uses: 3)
            let outcomes = try await self.together(100) { _ in
                try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate())
            }
            #expect(outcomes.filter { $0 == .accepted }.count == 1)
            let node = try #require(try await control.store.node("mx1.example.org"))
            let stored = try await control.superuser.query(
                Statement("SELECT der FROM control.certificate WHERE role = 'node'")
            ).single().get(0, as: PostgresBytes.self)
            #expect(outcomes.filter { $0 == .repeated(der: stored.bytes) }.count == 99)
            #expect(node.lastSeen == nil && node.certificateNotAfter > .present)
            #expect(try await control.count("token_use") == 1)
            #expect(try await control.store.audit(object: "node/mx1.example.org").count == 1)
        }
    }

    @Test("control 11: of fifty keys at once a token of three uses serves exactly three")
    func uses() async throws {
        try await ControlFixture.run(size: 10) { control in
            let secret = try await control.token(uses: 3)
            let outcomes = try await self.together(50) { number in
                try await control.store.redeem(
                    secretSHA256: secret, try ControlFixture.certificate(.node, "mx\(number).example.org", key: number))
            }
            #expect(outcomes.filter { $0 == .accepted }.count == 3)
            #expect(outcomes.filter { $0 == .usedUp }.count == 47)
            #expect(try await control.store.nodes().count == 3)
        }
    }

    @Test("control 11: one token does not enrol one name for two keys at once")
    func sameName() async throws {
        try await ControlFixture.run(size: 10) { control in
            let secret = try await control.token(uses: 50)
            let outcomes = try await self.together(50) { number in
                try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate(key: number))
            }
            #expect(outcomes.filter { $0 == .accepted }.count == 1)
            let taken = outcomes.filter { if case .nameTaken(let until) = $0 { until > .present } else { false } }
            #expect(taken.count == 49)
            #expect(try await control.count("token_use") == 1)
        }
    }

    @Test("control 11: the same key gets the same bytes again, also from a token that is used up, and after a renewal")
    func again() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            let first = try ControlFixture.certificate()
            #expect(try await control.store.redeem(secretSHA256: secret, first) == .accepted)
            let before = try await control.everything()
            for _ in 0..<3 {
                let outcome = try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate())
                #expect(outcome == .repeated(der: first.der))
            }
            #expect(try await control.everything() == before)
            #expect(try await control.store.recordRenewal(try ControlFixture.certificate()) == .recorded)
            let late = try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate())
            #expect(late == .repeated(der: first.der))
        }
    }

    @Test(
        "control 11: a first certificate that has expired within the token's life is followed by another, by the same use"
    )
    func expiredFirst() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            let short = try ControlFixture.certificate(until: .milliseconds(-1))
            #expect(try await control.store.redeem(secretSHA256: secret, short) == .accepted)
            let next = try ControlFixture.certificate()
            #expect(try await control.store.redeem(secretSHA256: secret, next) == .accepted)
            let again = try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate())
            #expect(again == .repeated(der: next.der))
            #expect(try await control.count("token_use") == 1)
        }
    }

    @Test("control 11: what a token does not permit is refused, each with its reason, and leaves nothing")
    func refusals() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token(1, uses: 2)
            let expired = try await control.token(2, lifetime: .milliseconds(-1))
            let forPeople = try await control.token(3, "*", role: .viewer, uses: 2)
            #expect(try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate()) == .accepted)
            let before = try await control.everything()
            func redeem(_ secret: [UInt8], _ role: ClusterRole, _ name: String, key: Int) async throws -> Redemption {
                try await control.store.redeem(
                    secretSHA256: secret, try ControlFixture.certificate(role, name, key: key))
            }
            #expect(try await redeem(ControlFixture.digest(9), .node, "mx2.example.org", key: 2) == .unknownToken)
            #expect(try await redeem(expired, .node, "mx2.example.org", key: 2) == .expiredToken)
            #expect(try await redeem(secret, .node, "edge.example.org", key: 2) == .wrongName)
            #expect(try await redeem(secret, .admin, "mx2.example.org", key: 2) == .wrongRole)
            #expect(try await redeem(forPeople, .admin, "mallory", key: 2) == .wrongRole)
            #expect(try await redeem(forPeople, .node, "mx2.example.org", key: 2) == .wrongRole)
            // A key that has used the token for one name has no other by it.
            #expect(try await redeem(secret, .node, "mx2.example.org", key: 1) == .wrongName)
            #expect(try await control.everything() == before)
        }
    }

    @Test(
        "control 11: a token for several names takes a name from a node only when nobody has heard of it for two minutes"
    )
    func wildcard() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token(uses: 5)
            let first = try ControlFixture.certificate(key: 1)
            #expect(try await control.store.redeem(secretSHA256: secret, first) == .accepted)
            try await control.store.record([NodeObservation(of: "mx1.example.org", by: "c1", sent: 4, acknowledged: 4)])
            let seen = try #require(try await control.store.node("mx1.example.org")?.lastSeen)
            let other = try ControlFixture.certificate(key: 2)
            let outcome = try await control.store.redeem(secretSHA256: secret, other)
            #expect(outcome == .nameTaken(until: seen + ControlLimits.quietBeforeReplacement))
            #expect(try await control.store.revocations().fingerprints.isEmpty)

            try await control.superuser.script(
                """
                UPDATE control.node SET last_seen = now() - interval '121 seconds';
                UPDATE control.identity SET enrolled_at = now() - interval '1 day'
                """)
            #expect(try await control.store.redeem(secretSHA256: secret, other) == .accepted)
            #expect(try await control.store.revocations().fingerprints == [first.sha256])
            let node = try #require(try await control.store.node("mx1.example.org"))
            #expect(node.lastSeen == nil && node.acknowledged == 0)
            // The node that it was is told so, and gets nothing by its old use.
            let late = try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate(key: 1))
            #expect(late == .nameTaken(until: other.notAfter))
            #expect(try await control.store.recordRenewal(try ControlFixture.certificate(key: 1)) == .otherKey)
        }
    }

    @Test("control 11: a token for exactly one name replaces the node that has it, though it was seen just now")
    func exact() async throws {
        try await ControlFixture.run { control in
            let first = try ControlFixture.certificate(key: 1)
            let (wild, exact) = (try await control.token(1), try await control.token(2, "mx1.example.org"))
            #expect(try await control.store.redeem(secretSHA256: wild, first) == .accepted)
            try await control.store.record([NodeObservation(of: "mx1.example.org", by: "c1")])
            let version = try await control.store.revocations().version
            let second = try ControlFixture.certificate(key: 2)
            #expect(try await control.store.redeem(secretSHA256: exact, second) == .accepted)
            let revocations = try await control.store.revocations()
            #expect(revocations.fingerprints == [first.sha256])
            #expect(revocations.version == version + 1)
            #expect(try await control.store.nodes().count == 1)
        }
    }

    @Test("control 11: a wildcard token takes no name from a person whose certificate has not expired")
    func people() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token(1, "*", role: .viewer, uses: 5)
            let first = try ControlFixture.certificate(.viewer, "ann", key: 1)
            #expect(try await control.store.redeem(secretSHA256: secret, first) == .accepted)
            try await control.superuser.script("UPDATE control.identity SET enrolled_at = now() - interval '1 hour'")
            let other = try ControlFixture.certificate(.viewer, "ann", key: 2)
            #expect(try await control.store.redeem(secretSHA256: secret, other) == .nameTaken(until: first.notAfter))
        }
    }

    @Test("control 16: who was revoked comes back by another key and a newer token for exactly this name, and not else")
    func revoked() async throws {
        try await ControlFixture.run { control in
            let first = try ControlFixture.certificate(key: 1)
            let (wild, old) = (
                try await control.token(1, uses: 9), try await control.token(2, "mx1.example.org", uses: 9)
            )
            #expect(try await control.store.redeem(secretSHA256: wild, first) == .accepted)
            #expect(try await control.store.revoke(first.identity, ControlFixture.change("node.revoke")))
            for secret in [wild, old] {
                for key in [1, 2] {
                    let outcome = try await control.store.redeem(
                        secretSHA256: secret, try ControlFixture.certificate(key: key))
                    #expect(outcome == .revoked)
                }
            }
            let new = try await control.token(3, "mx1.example.org", uses: 9)
            #expect(
                try await control.store.redeem(secretSHA256: new, try ControlFixture.certificate(key: 1)) == .revoked)
            #expect(
                try await control.store.redeem(secretSHA256: new, try ControlFixture.certificate(key: 2)) == .accepted)
            #expect(try await control.store.node("mx1.example.org")?.isRevoked == false)
            #expect(try await control.store.revocations().fingerprints == [first.sha256])
        }
    }

    @Test("A token has uses, and is for no controller; a dry run adds none")
    func tokens() async throws {
        try await ControlFixture.run { control in
            #expect(await failure { try await control.token(uses: 0) } == .unfit)
            #expect(await failure { try await control.token(uses: ControlLimits.tokenUses + 1) } == .unfit)
            #expect(await failure { try await control.token(role: .controller) } == .unfit)
            let before = try await control.everything()
            try await control.token(isDryRun: true)
            #expect(try await control.everything() == before)
            try await control.token()
            // Checked, though nothing would be changed.
            #expect(await failure { try await control.token(isDryRun: true) } == .other)
        }
    }
}
