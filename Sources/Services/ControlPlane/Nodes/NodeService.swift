import ClusterModel
package import ControlAPI
import ControlStore
import Foundation
package import GRPCCore
package import Logging
import MailModel
import ServiceSupport
import SwiftProtobuf
import Telemetry

/// What enrolled nodes call: the stream of the state, reports of what they serve, and renewals.
package struct NodeService: ControlNodeService.SimpleServiceProtocol {
    let authority: ClusterAuthority
    let store: ControlStore
    let clock: any NodeClock
    private let table: StateTable
    private let messages: ResourceMessages
    private let observations: NodeObservations
    private let streams: NodeStreams
    private let revocations: RevocationTable
    private let snapshots: RequestBudget
    /// Renewals cost a signature and a write, reports a write.
    private let renewals: RequestBudget
    let reports: RequestBudget
    let clocks: ClockWarnings
    private let enrolments: EnrolmentLog
    private let metrics: ControlPlaneMetrics

    package init(
        authority: ClusterAuthority, table: StateTable, observations: NodeObservations, streams: NodeStreams,
        revocations: RevocationTable, snapshotsPerSecond: Int, enrolments: EnrolmentLog, metrics: ControlPlaneMetrics,
        logger: Logger
    ) {
        self.authority = authority
        self.store = authority.store
        self.clock = authority.clock
        self.table = table
        self.messages = ResourceMessages(keys: authority.keys)
        self.observations = observations
        self.streams = streams
        self.revocations = revocations
        self.snapshots = RequestBudget(
            RequestLimit(perSecond: snapshotsPerSecond, burst: snapshotsPerSecond), clock: authority.clock)
        self.renewals = RequestBudget(RequestLimit(perSecond: 50, burst: 50, atOnce: 10), clock: authority.clock)
        self.reports = RequestBudget(RequestLimit(perSecond: 500, burst: 1_000, atOnce: 100), clock: authority.clock)
        self.clocks = ClockWarnings(logger: logger)
        self.enrolments = enrolments
        self.metrics = metrics
    }

    // MARK: The stream

    package func watch(
        request: RPCAsyncSequence<ControlWatchRequest, any Error>, response: RPCWriter<ControlWatchResponse>,
        context: ServerContext
    ) async throws {
        let caller = try Caller.known()
        let name = caller.identity.name
        let ticket = try self.streams.open(name)
        defer { if self.streams.close(ticket) { self.observations.departed(name) } }
        let stream = WatchStream(
            of: name, table: self.table, messages: self.messages, observations: self.observations,
            metrics: self.metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.read(request, stream) }
            group.addTask { try await stream.send(response) }
            group.addTask { try await self.waitForRevocation(of: caller) }
            group.addTask {
                for await reason in ticket.end { throw reason }
            }
            // Whichever ends first ends the stream; a node ends it by ending its side.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func read(
        _ request: RPCAsyncSequence<ControlWatchRequest, any Error>, _ stream: WatchStream
    ) async throws {
        var isBegun = false
        for try await message in request {
            if isBegun {
                try await stream.received(message)
            } else {
                try await self.begin(stream, message)
            }
            isBegun = true
        }
    }

    private func begin(_ stream: WatchStream, _ message: ControlWatchRequest) async throws {
        do {
            try await self.snapshots.within("streams that begin") { try await stream.begin(message) }
        } catch let error as RPCError where error.code == .resourceExhausted {
            self.metrics.snapshots.increment(.throttled)
            throw error
        }
    }

    /// Throws once the caller's certificate is revoked, or has expired (control 16).
    private func waitForRevocation(of caller: Caller) async throws {
        var wakeups = self.revocations.changes.follow().wakeups.makeAsyncIterator()
        repeat {
            guard !self.revocations.isRevoked(caller.fingerprint) else {
                throw RPCError(code: .permissionDenied, message: "\(caller.identity) is revoked")
            }
        } while await wakeups.next() != nil
    }

    // MARK: Renewal

    package func renewCertificate(
        request: ControlRenewCertificateRequest, context: ServerContext
    ) async throws -> ControlRenewCertificateResponse {
        let caller = try Caller.known()
        let issued = try await self.enrolments.recording(.renewal, caller.identity.name, context) {
            try await self.renewals.within("renewals") {
                try await self.authority.renew(caller, request.signingRequestDer)
            }
        }
        return .with { $0.identity = issued }
    }
}
