import ClusterModel
package import ControlAPI
import ControlStore
import Foundation
package import GRPCCore
import MailModel
import SwiftProtobuf

/// The rotation of the authority by bundle and barrier (control 14). The phase in the database says where it stands, so any replica can
/// take a step, and two that do so at once take one.
extension ClusterService {
    package func getAuthority(
        request: ControlGetAuthorityRequest, context: ServerContext
    ) async throws -> ControlGetAuthorityResponse {
        try await self.authority.refresh()
        let standing = self.authority.current
        let nodes = try await self.store.allNodes()
        let waiting = try standing.rotation.waitingFor(nodes.map { .init($0) }, at: self.clock.date)
        return .with {
            $0.phase = ControlRotationPhase(standing.phase)
            $0.waitingFor = waiting
            $0.authorities = standing.trusted.map { held in
                .with {
                    $0.sha256 = Data(held.row.sha256)
                    $0.notBefore = .init(held.row.notBefore)
                    $0.notAfter = .init(held.row.notAfter)
                    $0.isIssuing = held.row.isIssuing
                    $0.nodes = UInt32(clamping: nodes.count { $0.authoritySHA256 == held.row.sha256 && !$0.isRevoked })
                }
            }
        }
    }

    package func rotateAuthority(
        request: ControlRotateAuthorityRequest, context: ServerContext
    ) async throws -> ControlRotateAuthorityResponse {
        let change = try ChangeRequest(request.context)
        guard let seen = RotationPhase(request.from) else { throw RPCError.invalid("from", "there is no such phase") }
        try await self.authority.refresh()
        let rotation = try self.authority.current.rotation
        let members = try await self.store.allNodes().map { AuthorityRotation.Member($0) }
        let next: RotationPhase
        switch rotation.step(from: seen, members, at: self.clock.date) {
        case .advance(to: let phase): next = phase
        case .otherPhase(let phase): throw Self.overtaken(phase)
        case .wait(for: let names): throw Self.barred(names)
        }
        try await self.step(from: seen, to: next, change)
        return .with { $0.phase = ControlRotationPhase(next) }
    }

    private func step(from seen: RotationPhase, to next: RotationPhase, _ change: ChangeRequest) async throws {
        let added =
            next == .trustingBoth
            ? try ClusterAuthority.found(
                self.authority.cluster, keys: self.authority.keys, isIssuing: false, at: self.clock.date
            ).row : nil
        let row = change.change(
            "authority.rotate", "authority",
            before: ControlRotateAuthorityResponse.with { $0.phase = ControlRotationPhase(seen) },
            after: ControlRotateAuthorityResponse.with { $0.phase = ControlRotationPhase(next) })
        guard try await self.store.step(from: seen, to: next, adding: added, row) else {
            try await self.authority.refresh()
            throw Self.overtaken(self.authority.current.phase)
        }
        self.writer.record(.authority, [row])
        // At this replica at once; at others as soon as they look.
        try await self.authority.refresh()
    }

    private static func overtaken(_ phase: RotationPhase) -> RPCError {
        RPCError(code: .aborted, message: "the rotation is at the phase \(phase) by now: look again")
    }

    private static func barred(_ names: [String]) -> RPCError {
        let shown = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? " and others" : "")
        return RPCError(
            code: .failedPrecondition, message: "\(names.count) nodes would lose trust by this step: \(shown)")
    }
}

extension ClusterAuthority.Standing {
    /// The rotation as its rules see it.
    var rotation: AuthorityRotation {
        get throws {
            let other = self.trusted.first { $0.row.sha256 != self.issuing.row.sha256 }
            guard
                let rotation = AuthorityRotation(
                    phase: self.phase, issuing: self.issuing.row.sha256, other: other?.row.sha256)
            else { throw ControlPlaneError("the authorities in the database do not fit the phase \(self.phase)") }
            return rotation
        }
    }
}
