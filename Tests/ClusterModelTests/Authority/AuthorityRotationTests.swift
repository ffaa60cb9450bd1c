import ClusterModel
import MailModel
import Testing

@Suite("Rotation of the cluster's authority")
struct AuthorityRotationTests {
    private static let (old, new) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
    private static let now = Timestamp(seconds: 1000)

    private static func member(
        _ name: String, trusts: [[UInt8]], holds: [UInt8], end: Int64 = 1000, isRevoked: Bool = false
    ) -> AuthorityRotation.Member {
        AuthorityRotation.Member(
            name: name, trusted: Set(trusts), authority: holds, notAfter: Timestamp(seconds: end),
            isRevoked: isRevoked)
    }

    private static func rotation(_ phase: RotationPhase) throws -> AuthorityRotation {
        let rotation =
            switch phase {
            case .settled: AuthorityRotation(phase: .settled, issuing: old, other: nil)
            case .trustingBoth: AuthorityRotation(phase: .trustingBoth, issuing: old, other: new)
            case .issuingNew: AuthorityRotation(phase: .issuingNew, issuing: new, other: old)
            }
        return try #require(rotation)
    }

    @Test("control 14: a rotation begins at once, and passes through its phases in order")
    func phases() throws {
        let members = [Self.member("a", trusts: [Self.old, Self.new], holds: Self.new)]
        var phases: [RotationPhase] = []
        for phase in RotationPhase.allCases {
            guard case .advance(let next) = try Self.rotation(phase).step(from: phase, members, at: Self.now) else {
                continue
            }
            phases.append(next)
        }
        #expect(phases == [.trustingBoth, .issuingNew, .settled])
        let nobody = [Self.member("a", trusts: [], holds: [])]
        let first = try Self.rotation(.settled).step(from: .settled, nobody, at: Self.now)
        #expect(first == .advance(to: .trustingBoth))
    }

    @Test("control 14: the new authority issues nothing before each node trusts it")
    func trustBarrier() throws {
        let members = [
            Self.member("c", trusts: [Self.old], holds: Self.old),
            Self.member("b", trusts: [Self.old, Self.new], holds: Self.old),
            Self.member("a", trusts: [], holds: Self.old),
        ]
        let rotation = try Self.rotation(.trustingBoth)
        #expect(rotation.step(from: .trustingBoth, members, at: Self.now) == .wait(for: ["a", "c"]))
    }

    @Test("control 14: the old authority is dropped only when each node has a certificate of the new one")
    func certificateBarrier() throws {
        let members = [
            Self.member("a", trusts: [Self.old, Self.new], holds: Self.old),
            Self.member("b", trusts: [Self.old, Self.new], holds: Self.new),
            Self.member("c", trusts: [Self.old], holds: Self.new),
        ]
        let rotation = try Self.rotation(.issuingNew)
        #expect(rotation.step(from: .issuingNew, members, at: Self.now) == .wait(for: ["a", "c"]))
    }

    @Test(
        "control 14: nodes that are revoked or have expired keep no barrier shut",
        arguments: [RotationPhase.trustingBoth, .issuingNew])
    func absent(_ phase: RotationPhase) throws {
        let members = [
            Self.member("a", trusts: [Self.old], holds: Self.old, end: 999),
            Self.member("b", trusts: [Self.old], holds: Self.old, isRevoked: true),
        ]
        #expect(try Self.rotation(phase).step(from: phase, members, at: Self.now) == .advance(to: phase.next))
    }

    @Test("control 14: a step that somebody else has taken is not taken twice")
    func twice() throws {
        let step = try Self.rotation(.trustingBoth).step(from: .settled, [], at: Self.now)
        #expect(step == .otherPhase(.trustingBoth))
    }

    @Test("A phase has the authorities that belong to it")
    func authorities() {
        #expect(AuthorityRotation(phase: .settled, issuing: Self.old, other: Self.new) == nil)
        #expect(AuthorityRotation(phase: .trustingBoth, issuing: Self.old, other: nil) == nil)
        #expect(AuthorityRotation(phase: .issuingNew, issuing: Self.new, other: Self.new) == nil)
    }
}
