import ClusterModel
import ControlAPI
import ControlStore
import GRPCCore
import MailModel
import SwiftProtobuf

extension NodeRow {
    /// How the node stands beside the latest state (control 9).
    func standing(desired: UInt64, at now: Timestamp) -> NodeStanding {
        NodeStanding(
            NodeStanding.Facts(
                isRevoked: self.isRevoked, certificateNotAfter: self.certificateNotAfter, lastSeen: self.lastSeen,
                served: self.served, refusal: self.refusal),
            latest: desired, at: now)
    }
}

extension AuthorityRotation.Member {
    /// What a node trusts and holds, as it said and was given.
    init(_ row: NodeRow) {
        self.init(
            name: row.name, trusted: Set(row.trustedAuthorities), authority: row.authoritySHA256,
            notAfter: row.certificateNotAfter, isRevoked: row.isRevoked)
    }
}

extension ControlNode {
    init(_ row: NodeRow, desired: UInt64, at now: Timestamp) {
        self.init()
        self.name = row.name
        self.status = ControlNodeStatus(row.standing(desired: desired, at: now))
        if let seen = row.lastSeen { self.lastSeen = .init(seen) }
        self.certificateNotAfter = .init(row.certificateNotAfter)
        self.acknowledgedVersion = row.acknowledged
        self.servedVersion = row.served
        if let offset = row.clockOffset { self.clockOffset = .init(offset) }
        self.programVersion = row.programVersion
        if let refusal = row.refusal, refusal.stateVersion == desired { self.refusal = ControlRefusal(refusal) }
    }
}

extension ControlNodeStatus {
    fileprivate init(_ standing: NodeStanding) {
        self =
            switch standing {
            case .current: .current
            case .behind: .behind
            case .refusing: .refusing
            case .away: .away
            case .expired: .expired
            case .revoked: .revoked
            }
    }
}
