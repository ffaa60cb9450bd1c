import ControlAPI
import Cryptography
import Foundation
import GRPCCore
import MailModel
import SwiftProtobuf

@testable import Console

struct TestDomains: ControlDomainService.SimpleServiceProtocol {
    let controller: TestController

    func getDomain(request: ControlGetDomainRequest, context: ServerContext) async throws -> ControlGetDomainResponse {
        guard let found = self.controller.state({ $0.domains[request.name] }) else {
            throw RPCError(code: .notFound, message: "there is no domain \(request.name)")
        }
        return .with { $0.domain = found }
    }

    /// Two a page, whatever is asked for.
    func listDomains(
        request: ControlListDomainsRequest, context: ServerContext
    ) async throws -> ControlListDomainsResponse {
        let all = self.controller.state { $0.domains.values.sorted { $0.domain.name < $1.domain.name } }
        let page = all.filter { $0.domain.name > request.pageToken }.prefix(2)
        return .with {
            $0.domains = Array(page)
            if let last = page.last, last != all.last { $0.nextPageToken = last.domain.name }
        }
    }

    func applyDomains(
        request: ControlApplyDomainsRequest, context: ServerContext
    ) async throws -> ControlApplyDomainsResponse {
        try needAdmin(context)
        return try self.controller.state { state in
            if state.isOvertaken {
                state.isOvertaken = false
                for name in state.domains.keys { state.domains[name]?.version += 10 }
            }
            for change in request.changes {
                let current = state.domains[change.domain.name]?.version ?? 0
                guard !change.hasBaseVersion || change.baseVersion == current else {
                    throw RPCError(code: .aborted, message: "it has changed meanwhile")
                }
                guard change.domain.recipientVerification != .list || change.domain.recipientListParts > 0 else {
                    throw RPCError(code: .failedPrecondition, message: "\(change.domain.name) has no list")
                }
            }
            let version = try state.changed(0, base: nil, request.context)
            return .with {
                $0.stateVersion = version
                for change in request.changes where !request.context.dryRun {
                    let domain = ControlVersionedDomain.with {
                        $0.domain = change.domain
                        $0.version = version
                        $0.recipients = UInt64(state.lists[change.domain.name]?.count ?? 0)
                    }
                    state.domains[change.domain.name] = domain
                    $0.domains.append(domain)
                }
            }
        }
    }

    func removeDomain(
        request: ControlRemoveDomainRequest, context: ServerContext
    ) async throws -> ControlRemoveDomainResponse {
        try needAdmin(context)
        return try self.controller.state { state in
            let version = try state.changed(
                state.domains[request.name]?.version ?? 0, base: request.baseVersion, request.context)
            if !request.context.dryRun { state.domains[request.name] = nil }
            return .with { $0.stateVersion = version }
        }
    }

    func replaceRecipients(
        request: RPCAsyncSequence<ControlReplaceRecipientsRequest, any Error>, context: ServerContext
    ) async throws -> ControlReplaceRecipientsResponse {
        try needAdmin(context)
        var parts: [ControlReplaceRecipientsRequest] = []
        for try await part in request { parts.append(part) }
        let list = parts.flatMap(\.localParts)
        let head = parts[0]
        return try self.controller.state { state in
            guard var domain = state.domains[head.domain] else {
                throw RPCError(code: .notFound, message: "there is no domain \(head.domain)")
            }
            if state.lists[head.domain] != list || domain.domain.recipientVerification != .list {
                domain.version = try state.changed(domain.version, base: head.baseVersion, head.context)
                domain.domain.recipientVerification = .list
                domain.domain.recipientListParts = UInt32(parts.count)
                domain.recipients = UInt64(list.count)
                if !head.context.dryRun {
                    state.lists[head.domain] = list
                    state.domains[head.domain] = domain
                }
            }
            let (version, answer) = (state.version, state.domains[head.domain] ?? domain)
            return .with {
                $0.domain = answer
                $0.stateVersion = version
            }
        }
    }
}

struct TestUsers: ControlUserService.SimpleServiceProtocol {
    let controller: TestController

    func listUsers(request: ControlListUsersRequest, context: ServerContext) async throws -> ControlListUsersResponse {
        let users = self.controller.state { $0.users.values.sorted { $0.name < $1.name } }
        return .with { $0.users = users }
    }

    func setUser(request: ControlSetUserRequest, context: ServerContext) async throws -> ControlSetUserResponse {
        try needAdmin(context)
        return try self.controller.state { state in
            let version = try state.changed(
                state.users[request.name]?.version ?? 0, base: request.baseVersion, request.context)
            let user = ControlVersionedUser.with {
                $0.name = request.name
                $0.version = version
            }
            if !request.context.dryRun {
                state.users[request.name] = user
                state.hashes[request.name] = request.passwordHash
            }
            return .with {
                $0.user = user
                $0.stateVersion = version
            }
        }
    }

    func removeUser(
        request: ControlRemoveUserRequest, context: ServerContext
    ) async throws -> ControlRemoveUserResponse {
        try needAdmin(context)
        return try self.controller.state { state in
            let version = try state.changed(
                state.users[request.name]?.version ?? 0, base: request.baseVersion, request.context)
            if !request.context.dryRun { state.users[request.name] = nil }
            return .with { $0.stateVersion = version }
        }
    }
}

struct TestCertificates: ControlCertificateService.SimpleServiceProtocol {
    let controller: TestController

    func listCertificates(
        request: ControlListCertificatesRequest, context: ServerContext
    ) async throws -> ControlListCertificatesResponse {
        let all = self.controller.state { $0.certificates.values.sorted { $0.slot < $1.slot } }
        return .with { $0.certificates = all }
    }

    func getCertificate(
        request: ControlGetCertificateRequest, context: ServerContext
    ) async throws -> ControlGetCertificateResponse {
        guard let found = self.controller.state({ $0.certificates[request.name] }) else {
            throw RPCError(code: .notFound, message: "there is no certificate \(request.name)")
        }
        return .with { $0.certificate = found }
    }

    func importCertificate(
        request: ControlImportCertificateRequest, context: ServerContext
    ) async throws -> ControlImportCertificateResponse {
        try needAdmin(context)
        let read = try ServerCertificate(
            chainPEM: Array(request.chainPem.utf8), keyPEM: Array(request.privateKeyPem.utf8))
        let own = read.chain[0].value
        return try self.controller.state { state in
            let version = try state.changed(
                state.certificates[request.name]?.version ?? 0, base: request.baseVersion, request.context)
            let slot = request.hasSlot ? request.slot : UInt32(state.certificates.count)
            let summary = ControlCertificateSummary.with {
                $0.name = request.name
                $0.version = version
                $0.slot = slot
                $0.dnsNames = own.dnsNames
                $0.chainPem = request.chainPem
                $0.notBefore = Google_Protobuf_Timestamp(own.notBefore)
                $0.notAfter = Google_Protobuf_Timestamp(own.notAfter)
            }
            guard !request.context.dryRun else { return .with { $0.stateVersion = version } }
            state.certificates[request.name] = summary
            return .with {
                $0.certificate = summary
                $0.stateVersion = version
            }
        }
    }
}
