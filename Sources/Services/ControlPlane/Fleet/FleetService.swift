import ClusterModel
package import ControlAPI
package import ControlStore
package import GRPCCore
package import MailModel
import SwiftProtobuf

/// The nodes of the cluster, its tokens, and the settings that its nodes share.
package struct FleetService: ControlFleetService.SimpleServiceProtocol {
    static let settingsKey = ResourceKey(type: .settings, name: "fleet")

    let authority: ClusterAuthority
    let store: ControlStore
    let writer: StateWriter
    let revocations: RevocationTable
    let clock: any NodeClock

    package init(
        authority: ClusterAuthority, store: ControlStore, writer: StateWriter, revocations: RevocationTable,
        clock: any NodeClock
    ) {
        self.authority = authority
        self.store = store
        self.writer = writer
        self.revocations = revocations
        self.clock = clock
    }

    // MARK: Settings

    package func getSettings(
        request: ControlGetSettingsRequest, context: ServerContext
    ) async throws -> ControlGetSettingsResponse {
        let stored = try await self.writer.current()[Self.settingsKey]
        return try .with {
            $0.settings = try stored?.settings ?? ControlFleetSettings()
            $0.version = stored?.version ?? 0
        }
    }

    package func setSettings(
        request: ControlSetSettingsRequest, context: ServerContext
    ) async throws -> ControlSetSettingsResponse {
        let change = try ChangeRequest(request.context)
        guard request.hasSettings else { throw RPCError.invalid("settings", "missing") }
        try SettingsChecks.check(request.settings)
        let before = try await self.writer.current()[Self.settingsKey]?.settings
        let write = ResourceWrite(
            key: Self.settingsKey, content: try request.settings.stored, secret: nil,
            base: request.hasBaseVersion ? request.baseVersion : nil)
        let row = change.change("settings.set", "settings/fleet", before: before, after: request.settings)
        let state = try await self.writer.write(.settings, [write], [row])
        return .with {
            $0.version = state[Self.settingsKey]?.version ?? 0
            $0.stateVersion = state.version
        }
    }

    // MARK: Tokens

    package func createJoinToken(
        request: ControlCreateJoinTokenRequest, context: ServerContext
    ) async throws -> ControlCreateJoinTokenResponse {
        let change = try ChangeRequest(request.context)
        let grant = try TokenGrant(request, at: self.clock.date)
        let token = JoinToken(
            cluster: self.authority.cluster, authority: self.authority.current.issuing.row.sha256,
            secret: grant.secret)
        // The row tells what the token permits, and nothing that it could be made of.
        var shown = request
        shown.clearContext()
        let row = change.change("token.create", "token/\(grant.pattern)", after: shown)
        try await self.store.add(grant.row(by: change.actor), row)
        self.writer.record(.token, [row])
        return .with {
            $0.token = change.isDryRun ? "" : token.text
            $0.expiry = .init(grant.expiry)
        }
    }

    // MARK: Revocation

    package func revokeNode(
        request: ControlRevokeNodeRequest, context: ServerContext
    ) async throws -> ControlRevokeNodeResponse {
        let change = try ChangeRequest(request.context)
        try await self.revoke(.node, request.name, change)
        return ControlRevokeNodeResponse()
    }

    package func revokePerson(
        request: ControlRevokePersonRequest, context: ServerContext
    ) async throws -> ControlRevokePersonResponse {
        let change = try ChangeRequest(request.context)
        guard let role = request.role.requested, role.isOfPeople else {
            throw RPCError.invalid("role", "neither ROLE_ADMIN nor ROLE_VIEWER")
        }
        try await self.revoke(role, request.name, change)
        return ControlRevokePersonResponse()
    }

    private func revoke(_ role: ClusterRole, _ name: String, _ change: ChangeRequest) async throws {
        guard let identity = ClusterIdentity(cluster: self.authority.cluster, role: role, name: name) else {
            throw RPCError.invalid("name", "\(FieldChecks.shown(name)) is no name of that role")
        }
        guard identity != change.actor else {
            throw RPCError(code: .failedPrecondition, message: "nobody revokes the certificate of the call itself")
        }
        let row = change.change("\(role.rawValue).revoke", "\(role.rawValue)/\(name)")
        guard try await self.store.revoke(identity, row) else {
            throw RPCError(code: .notFound, message: "there is no \(identity)")
        }
        self.writer.record(.revocation, [row])
        // At this replica from the next RPC on; at others as soon as they look.
        try await self.revocations.refresh()
    }
}
