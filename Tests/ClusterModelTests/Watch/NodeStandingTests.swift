import ClusterModel
import MailModel
import Testing

@Suite("How nodes stand")
struct NodeStandingTests {
    private static let now = Timestamp(seconds: 10_000)

    private static func standing(
        served: UInt64 = 5, seen: Int64? = 9_990, end: Int64 = 20_000, isRevoked: Bool = false,
        refused: UInt64? = nil
    ) -> NodeStanding {
        let refusal = refused.map { WatchRefusal(stateVersion: $0, resource: nil, reason: "because") }
        return NodeStanding(
            NodeStanding.Facts(
                isRevoked: isRevoked, certificateNotAfter: Timestamp(seconds: end),
                lastSeen: seen.map { Timestamp(seconds: $0) }, served: served, refusal: refusal),
            latest: 5, at: now)
    }

    @Test("control 9: a node is current when it says that it serves the latest state")
    func served() {
        #expect(Self.standing() == .current)
        // It may have a state that the replica which answers has not read.
        #expect(Self.standing(served: 6) == .current)
        #expect(Self.standing(served: 4) == .behind)
        #expect(Self.standing(served: 0) == .behind)
    }

    @Test("control 9: a refusal counts while the refused state is the latest")
    func refusing() {
        #expect(Self.standing(served: 4, refused: 5) == .refusing)
        #expect(Self.standing(served: 3, refused: 4) == .behind)
        #expect(Self.standing(served: 5, refused: 5) == .current)
    }

    @Test("control 9: a node that is not heard for 2 min is away, whatever it served")
    func away() {
        #expect(Self.standing(seen: 9_881) == .current)
        #expect(Self.standing(seen: 9_880) == .away)
        #expect(Self.standing(seen: nil) == .away)
        #expect(Self.standing(seen: 9_000, refused: 5) == .away)
    }

    @Test("control 9, 12: a node whose certificate has ended while it was away has expired; a revoked one is revoked")
    func ended() {
        #expect(Self.standing(seen: 9_000, end: 9_999) == .expired)
        #expect(Self.standing(seen: 9_000, end: 10_000) == .away)
        #expect(Self.standing(isRevoked: true) == .revoked)
        #expect(Self.standing(seen: nil, end: 1, isRevoked: true) == .revoked)
    }
}
