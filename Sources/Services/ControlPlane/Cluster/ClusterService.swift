import ClusterModel
package import ControlAPI
package import ControlStore
import Foundation
package import GRPCCore
package import MailModel
import SwiftProtobuf

/// The cluster itself: its authority, its audit, and how it is.
package struct ClusterService: ControlClusterService.SimpleServiceProtocol {
    let authority: ClusterAuthority
    let store: ControlStore
    let writer: StateWriter
    let clock: any NodeClock
    let enrolments: EnrolmentLog
    /// An entry has up to 128 KiB of text about what was there before and after, and a message has 4 MiB at most.
    private static let maximumPageBytes = 2 << 20
    private let replica: String
    private let programVersion: String

    package init(
        authority: ClusterAuthority, store: ControlStore, writer: StateWriter, clock: any NodeClock,
        enrolments: EnrolmentLog, replica: String, programVersion: String
    ) {
        self.authority = authority
        self.store = store
        self.writer = writer
        self.clock = clock
        self.enrolments = enrolments
        self.replica = replica
        self.programVersion = programVersion
    }

    package func getStatus(
        request: ControlGetStatusRequest, context: ServerContext
    ) async throws -> ControlGetStatusResponse {
        let state = try await self.writer.current()
        let leader = try await self.store.leader()
        var census = NodeCensus()
        try await census.count(in: self.store, desired: state.version, at: self.clock.date)
        return .with {
            $0.cluster = self.authority.cluster.text
            $0.stateVersion = state.version
            $0.leader = leader.flatMap { $0.isOver ? nil : $0.replica } ?? ""
            $0.replica = self.replica
            $0.programVersion = self.programVersion
            $0.nodes = UInt32(clamping: census.enrolled)
            $0.currentNodes = UInt32(clamping: census.counts[.current, default: 0])
            $0.domains = UInt64(state.count(of: .domain))
            $0.clock = .init(self.clock.date)
        }
    }

    package func listAudit(
        request: ControlListAuditRequest, context: ServerContext
    ) async throws -> ControlListAuditResponse {
        let page = try PageRequest(size: request.pageSize, token: request.pageToken)
        try FieldChecks.text(request.object, "object", atMost: 400)
        let before = try page.after.map { text throws(RPCError) in
            guard let id = Int64(text), id > 0 else { throw .invalid("page_token", "no token of a page before") }
            return id
        }
        let rows = try await self.store.audit(
            before: before, limit: page.size + 1, object: request.object.isEmpty ? nil : request.object)
        let entries = try Self.fitting(rows.prefix(page.size).map(ControlAuditEntry.init))
        return .with {
            $0.entries = entries
            if let last = entries.last, entries.count < rows.count { $0.nextPageToken = "\(last.id)" }
        }
    }

    /// As many of them as make a page; always one.
    private static func fitting(_ entries: [ControlAuditEntry]) throws -> [ControlAuditEntry] {
        var bytes = 0
        let end = try entries.firstIndex { entry in
            bytes += try entry.serializedData().count
            return bytes > Self.maximumPageBytes
        }
        return Array(entries.prefix(max(1, end ?? entries.count)))
    }

    /// Gives the calling person a new certificate; nodes have a method of their own.
    package func renewCredential(
        request: ControlRenewCredentialRequest, context: ServerContext
    ) async throws -> ControlRenewCredentialResponse {
        let caller = try Caller.known()
        let issued = try await self.enrolments.recording(.renewal, caller.identity.name, context) {
            try await self.authority.renew(caller, request.signingRequestDer)
        }
        return .with { $0.identity = issued }
    }
}

extension ControlAuditEntry {
    fileprivate init(_ row: AuditRow) {
        self.init()
        self.id = UInt64(clamping: row.id)
        self.time = .init(row.at)
        self.actor = row.change.actor
        self.action = row.change.action
        self.object = row.change.object
        self.before = row.change.before ?? ""
        self.after = row.change.after ?? ""
        self.reason = row.change.reason
    }
}
