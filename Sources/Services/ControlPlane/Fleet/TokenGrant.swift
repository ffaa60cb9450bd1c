import ClusterModel
import ControlAPI
import ControlStore
import Cryptography
import GRPCCore
import MailModel
import SwiftProtobuf

/// What a join token permits.
struct TokenGrant {
    static let usualLifetime: Int64 = 3_600
    static let maximumLifetime: Int64 = 30 * 86_400
    static let maximumUses: UInt32 = 10_000

    let pattern: NamePattern
    let role: ClusterRole
    let uses: Int
    let expiry: Timestamp
    let secret: [UInt8]

    init(_ request: ControlCreateJoinTokenRequest, at now: Timestamp) throws(RPCError) {
        guard let pattern = NamePattern(request.nodePattern) else {
            throw .invalid(
                "node_pattern", "\(FieldChecks.shown(request.nodePattern)) is neither a name nor one with one *")
        }
        guard let role = request.role.requested else { throw .invalid("role", "there is no such role") }
        guard !role.isOfPeople || pattern.isExact else {
            throw .invalid("node_pattern", "a token for an admin or a viewer is for one name")
        }
        guard request.uses <= Self.maximumUses else {
            throw .invalid("uses", "\(request.uses) is more than \(Self.maximumUses)")
        }
        let seconds = request.hasLifetime ? request.lifetime.seconds : Self.usualLifetime
        guard (1...Self.maximumLifetime).contains(seconds) else {
            throw .invalid("lifetime", "not 1 s to 30 days")
        }
        self.pattern = pattern
        self.role = role
        self.uses = max(1, Int(request.uses))
        self.expiry = now + .seconds(seconds)
        self.secret = RandomBytes.make(JoinToken.secretLength)
    }

    func row(by actor: ClusterIdentity) -> TokenRow {
        TokenRow(
            secretSHA256: Digests.sha256(self.secret), pattern: self.pattern, role: self.role, uses: self.uses,
            expiresAt: self.expiry, createdBy: actor.uri)
    }
}
