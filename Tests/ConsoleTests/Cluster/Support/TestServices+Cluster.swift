import ClusterModel
import ControlAPI
import Foundation
import GRPCCore
import MailModel
import OperatingSystem
import SwiftProtobuf

@testable import Console

struct TestFleet: ControlFleetService.SimpleServiceProtocol {
    let controller: TestController

    func listNodes(request: ControlListNodesRequest, context: ServerContext) async throws -> ControlListNodesResponse {
        let (nodes, version) = self.controller.state { ($0.nodes, $0.version) }
        return .with {
            $0.nodes = nodes
            $0.stateVersion = version
        }
    }

    func diffNode(request: ControlDiffNodeRequest, context: ServerContext) async throws -> ControlDiffNodeResponse {
        let (node, version) = self.controller.state { state in
            (state.nodes.first { $0.name == request.name }, state.version)
        }
        guard let node else { throw RPCError(code: .notFound, message: "there is no node \(request.name)") }
        return .with {
            $0.node = node
            $0.desiredVersion = version
            $0.sentVersion = version
            $0.resources = [
                .with {
                    $0.key.type = .domain
                    $0.key.name = "alpha.test"
                    $0.desired = version
                }
            ]
        }
    }

    func createJoinToken(
        request: ControlCreateJoinTokenRequest, context: ServerContext
    ) async throws -> ControlCreateJoinTokenResponse {
        try needAdmin(context)
        self.controller.state { $0.tokens.append(request) }
        return .with {
            $0.token = self.controller.token.text
            $0.expiry = Google_Protobuf_Timestamp(Timestamp(seconds: 1_900_000_000))
        }
    }

    func revokeNode(
        request: ControlRevokeNodeRequest, context: ServerContext
    ) async throws -> ControlRevokeNodeResponse {
        try needAdmin(context)
        self.controller.state { $0.revoked.append("node/\(request.name)") }
        return .init()
    }

    func revokePerson(
        request: ControlRevokePersonRequest, context: ServerContext
    ) async throws -> ControlRevokePersonResponse {
        try needAdmin(context)
        self.controller.state { $0.revoked.append("\(request.role)/\(request.name)") }
        return .init()
    }

    func getSettings(
        request: ControlGetSettingsRequest, context: ServerContext
    ) async throws -> ControlGetSettingsResponse {
        let (settings, version) = self.controller.state { ($0.settings, $0.settingsVersion) }
        return .with {
            $0.settings = settings
            $0.version = version
        }
    }

    func setSettings(
        request: ControlSetSettingsRequest, context: ServerContext
    ) async throws -> ControlSetSettingsResponse {
        try needAdmin(context)
        return try self.controller.state { state in
            let version = try state.changed(state.settingsVersion, base: request.baseVersion, request.context)
            if !request.context.dryRun {
                state.settings = request.settings
                state.settingsVersion = version
            }
            return .with {
                $0.version = version
                $0.stateVersion = version
            }
        }
    }
}

struct TestCluster: ControlClusterService.SimpleServiceProtocol {
    let controller: TestController

    func getStatus(request: ControlGetStatusRequest, context: ServerContext) async throws -> ControlGetStatusResponse {
        _ = try caller(context)
        let state = self.controller.state { state in
            ControlGetStatusResponse.with {
                $0.stateVersion = state.version
                $0.leader = state.leader
                $0.nodes = UInt32(state.nodes.count)
                $0.domains = UInt64(state.domains.count)
            }
        }
        var answer = state
        answer.cluster = self.controller.name.text
        answer.replica = "replica-1"
        answer.programVersion = "0.1.0"
        answer.clock = Google_Protobuf_Timestamp(.systemNow)
        return answer
    }

    func getAuthority(
        request: ControlGetAuthorityRequest, context: ServerContext
    ) async throws -> ControlGetAuthorityResponse {
        let answer = self.controller.state { $0.authority }
        // Nodes come to trust and hold what is new while somebody looks.
        self.controller.state { _ = $0.authority.waitingFor.popLast() }
        return answer
    }

    func rotateAuthority(
        request: ControlRotateAuthorityRequest, context: ServerContext
    ) async throws -> ControlRotateAuthorityResponse {
        try needAdmin(context)
        return try self.controller.state { state in
            guard state.authority.phase == request.from, state.authority.waitingFor.isEmpty else {
                throw RPCError(code: .failedPrecondition, message: "the step waits for node-b")
            }
            let next: ControlRotationPhase =
                switch request.from {
                case .settled: .trustingBoth
                case .trustingBoth: .issuingNew
                default: .settled
                }
            if !request.context.dryRun {
                state.authority.phase = next
                state.authority.waitingFor = next == .settled ? [] : ["node-b"]
            }
            return .with { $0.phase = next }
        }
    }

    func listAudit(request: ControlListAuditRequest, context: ServerContext) async throws -> ControlListAuditResponse {
        let last = UInt64(request.pageToken) ?? 5
        let ids = (0..<min(UInt64(request.pageSize), last)).map { last - $0 }
        return .with {
            $0.entries = ids.map { id in
                .with {
                    $0.id = id
                    $0.time = Google_Protobuf_Timestamp(Timestamp(seconds: 1_700_000_000 + Int64(id)))
                    $0.actor = "relay://lab/admin/alice"
                    $0.action = "domain.apply"
                    $0.object = request.object.isEmpty ? "domain/alpha.test" : request.object
                    $0.after = "{\"name\":\"alpha.test\"}"
                    $0.reason = "reason \(id)"
                }
            }
            if let first = ids.last, first > 1 { $0.nextPageToken = "\(first - 1)" }
        }
    }

    func renewCredential(
        request: ControlRenewCredentialRequest, context: ServerContext
    ) async throws -> ControlRenewCredentialResponse {
        let who = try caller(context)
        self.controller.state { $0.renewals += 1 }
        let identity = try self.controller.issued(who.name, who.role, request.signingRequestDer)
        return .with { $0.identity = identity }
    }
}

struct TestEnrollment: ControlEnrollmentService.SimpleServiceProtocol {
    let controller: TestController

    func enroll(request: ControlEnrollRequest, context: ServerContext) async throws -> ControlEnrollResponse {
        guard request.token == self.controller.token.text else {
            throw RPCError(code: .permissionDenied, message: "no such token")
        }
        let role: ClusterRole =
            switch request.role {
            case .admin: .admin
            case .viewer: .viewer
            default: .node
            }
        let identity = try self.controller.issued(request.nodeName, role, request.signingRequestDer)
        let isLost = self.controller.state { state in
            state.enrolled.append(Array(request.signingRequestDer))
            state.lostAnswers -= 1
            return state.lostAnswers >= 0
        }
        if isLost { throw RPCError(code: .unavailable, message: "the answer was lost") }
        return .with {
            $0.identity = identity
            $0.cluster = self.controller.name.text
        }
    }

    func comeBack(request: ControlComeBackRequest, context: ServerContext) async throws -> ControlComeBackResponse {
        throw RPCError(code: .unimplemented, message: "")
    }
}
