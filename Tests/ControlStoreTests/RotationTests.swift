import ClusterModel
import ControlStore
import LabDatabase
import PostgresDriver
import Testing

@Suite("Rotation of the authority", .timeLimit(.minutes(2)))
struct RotationTests {
    private let second = ControlFixture.authority(2, isIssuing: false)

    private func step(
        _ control: ControlFixture, _ phase: RotationPhase, _ next: RotationPhase, isDryRun: Bool = false
    ) async throws -> Bool {
        try await control.store.step(
            from: phase, to: next, adding: next == .trustingBoth ? self.second : nil,
            ControlFixture.change("authority.rotate", "cluster/mail-eu", isDryRun: isDryRun))
    }

    @Test("control 14: a rotation trusts both, then issues from the new, then drops the old and erases its key")
    func rotation() async throws {
        try await ControlFixture.run { control in
            let first = try #require(try await control.store.authorities().first)
            func authorities() async throws -> [[UInt8]] {
                try await control.store.authorities().filter(\.isTrusted).map(\.sha256)
            }
            #expect(try await self.step(control, .settled, .trustingBoth))
            #expect(try await authorities() == [first.sha256, second.sha256])
            #expect(try await self.step(control, .trustingBoth, .issuingNew))
            #expect(try await authorities() == [second.sha256, first.sha256])
            #expect(try await control.store.authorities().map(\.isIssuing) == [true, false])
            #expect(try await self.step(control, .issuingNew, .settled))
            #expect(try await authorities() == [second.sha256])
            let old = try #require(try await control.store.authorities().last)
            #expect(old.sha256 == first.sha256 && old.sealedKey == [] && !old.isTrusted)
            #expect(try await control.store.cluster()?.phase == .settled)
            #expect(try await control.store.audit(object: "cluster/mail-eu").count == 4)
        }
    }

    @Test("control 14: a rotation that issues nothing yet can be abandoned")
    func abandoned() async throws {
        try await ControlFixture.run { control in
            #expect(try await self.step(control, .settled, .trustingBoth))
            #expect(try await self.step(control, .trustingBoth, .settled))
            let trusted = try await control.store.authorities().filter(\.isTrusted)
            #expect(trusted.map(\.sha256) == [ControlFixture.authority(1).sha256])
        }
    }

    @Test("control 14: a step from another phase than the present one is refused, and leaves nothing")
    func otherPhase() async throws {
        try await ControlFixture.run { control in
            let before = try await control.everything()
            #expect(try await self.step(control, .trustingBoth, .issuingNew) == false)
            #expect(try await self.step(control, .issuingNew, .settled) == false)
            #expect(try await control.everything() == before)
            #expect(try await self.step(control, .settled, .trustingBoth))
            let both = try await control.everything()
            #expect(try await self.step(control, .settled, .trustingBoth) == false)
            #expect(try await self.step(control, .issuingNew, .settled) == false)
            #expect(try await control.everything() == both)
        }
    }

    @Test("control 14: of many who take the same step at once one takes it")
    func together() async throws {
        try await ControlFixture.run(size: 8) { control in
            #expect(try await self.step(control, .settled, .trustingBoth))
            let outcomes = try await withThrowingTaskGroup { group in
                for _ in 0..<12 { group.addTask { try await self.step(control, .trustingBoth, .issuingNew) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter(\.self).count == 1)
            #expect(try await control.store.authorities().first?.sha256 == self.second.sha256)
        }
    }

    @Test("control 14: a dry run of a step is checked like one, and changes nothing")
    func dryRun() async throws {
        try await ControlFixture.run { control in
            let before = try await control.everything()
            #expect(try await self.step(control, .settled, .trustingBoth, isDryRun: true))
            #expect(try await self.step(control, .trustingBoth, .issuingNew, isDryRun: true) == false)
            #expect(try await control.everything() == before)
        }
    }

    @Test(
        "control 14: what is no step is refused: a phase left out, an authority where none is added, or none where one is"
    )
    func unfit() async throws {
        try await ControlFixture.run { control in
            let change = ControlFixture.change()
            func refused(_ phase: RotationPhase, _ next: RotationPhase, _ authority: AuthorityRow?) async -> Bool {
                await failure { _ = try await control.store.step(from: phase, to: next, adding: authority, change) }
                    == .unfit
            }
            #expect(await refused(.settled, .issuingNew, nil))
            #expect(await refused(.settled, .settled, nil))
            #expect(await refused(.settled, .trustingBoth, nil))
            #expect(await refused(.settled, .trustingBoth, ControlFixture.authority(3)))
            #expect(await refused(.trustingBoth, .issuingNew, second))
            #expect(await refused(.issuingNew, .trustingBoth, second))
            let phase = try await control.store.cluster()?.phase
            #expect(phase == .settled)
        }
    }

    @Test("control 14: what a replica that lags has signed by an authority that does not issue is not stored")
    func staleAuthority() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            let first = try ControlFixture.certificate()
            #expect(try await control.store.redeem(secretSHA256: secret, first) == .accepted)
            #expect(try await self.step(control, .settled, .trustingBoth))
            let early = try ControlFixture.certificate(by: 2)
            #expect(await failure { _ = try await control.store.recordRenewal(early) } == .staleAuthority)
            #expect(try await self.step(control, .trustingBoth, .issuingNew))
            let before = try await control.everything()
            let late = try ControlFixture.certificate(by: 1)
            #expect(await failure { _ = try await control.store.recordRenewal(late) } == .staleAuthority)
            let other = try await control.token(2)
            let stranger = try ControlFixture.certificate(.node, "mx2.example.org", key: 2, by: 1)
            #expect(
                await failure { _ = try await control.store.redeem(secretSHA256: other, stranger) } == .staleAuthority)
            #expect(try await control.count("token_use") == 1)
            #expect(try await control.everything().count == before.count + 2)
            #expect(try await control.store.recordRenewal(try ControlFixture.certificate(by: 2)) == .recorded)
        }
    }

    @Test(
        "control 11, 14: once the old authority is dropped, its certificate is not given again; the same use brings one of the new"
    )
    func repeatedAfterRotation() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            let first = try ControlFixture.certificate()
            #expect(try await control.store.redeem(secretSHA256: secret, first) == .accepted)
            for (phase, next) in [(RotationPhase.settled, RotationPhase.trustingBoth), (.trustingBoth, .issuingNew)] {
                #expect(try await self.step(control, phase, next))
                let again = try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate(by: 2))
                #expect(again == .repeated(der: first.der))
            }
            #expect(try await self.step(control, .issuingNew, .settled))
            let new = try ControlFixture.certificate(by: 2)
            #expect(try await control.store.redeem(secretSHA256: secret, new) == .accepted)
            let again = try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate(by: 2))
            #expect(again == .repeated(der: new.der))
            #expect(try await control.count("token_use") == 1)
        }
    }

    @Test("control 14: renewals beside a step are of the authority that issues, or are not stored")
    func renewalsBesideStep() async throws {
        try await ControlFixture.run(size: 8) { control in
            let secret = try await control.token()
            #expect(try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate()) == .accepted)
            #expect(try await self.step(control, .settled, .trustingBoth))
            try await withThrowingTaskGroup { group in
                for authority in [1, 1, 1, 2, 2, 2] {
                    group.addTask {
                        for _ in 0..<10 {
                            let certificate = try ControlFixture.certificate(by: authority)
                            let code = await failure { _ = try await control.store.recordRenewal(certificate) }
                            #expect(code == nil || code == .staleAuthority)
                        }
                    }
                }
                group.addTask {
                    let isTaken = try await self.step(control, .trustingBoth, .issuingNew)
                    #expect(isTaken)
                }
                try await group.waitForAll()
            }
            // No certificate of the old authority was stored after the first one of the new.
            let late = try await control.superuser.query(
                Statement(
                    """
                    SELECT count(*) FROM control.certificate c WHERE c.authority_sha256 = $1 AND c.issued_at >
                        (SELECT min(issued_at) FROM control.certificate n WHERE n.authority_sha256 <> $1)
                    """, PostgresBytes(ControlFixture.authority(1).sha256))
            ).single().get(0, as: Int64.self)
            #expect(late == 0)
        }
    }
}
