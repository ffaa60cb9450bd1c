import ClusterModel
import ControlAPI
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import Logging
import MailModel
import NIOCore
import ServiceSupport
import SwiftProtobuf
import Synchronization

/// Why the node stops to follow over a connection, and begins anew.
private enum SessionEnd: Error {
    /// It has another certificate, or trusts other authorities.
    case identityChanged
    /// The controller does not answer.
    case silent
}

/// What one connection shares.
private struct Session: Sendable {
    let credential: ClusterCredential
    let client: GRPCClient<GRPCClientTransport>
    /// Rings when there is something to report.
    let changes: AsyncStream<Void>
    let ring: AsyncStream<Void>.Continuation

    var node: ControlNodeService.Client<GRPCClientTransport> { ControlNodeService.Client(wrapping: self.client) }
}

extension ControlClient {
    /// Between reports without a change.
    private static let reportInterval = Duration.seconds(30)
    private static let callTimeout = Duration.seconds(20)
    /// Between attempts to renew that fail.
    private static let renewalRetry = Duration.seconds(60)

    /// Follows with a credential until that changes or the stream ends; says why it ended, if that is a problem.
    func follow(_ credential: ClusterCredential, _ backoff: inout ReconnectBackoff) async -> String? {
        let isUp = Replaceable(false)
        defer { if isUp.current { backoff.succeeded() } }
        do {
            try await self.connection(.credential { credential }).withClient { client in
                let (changes, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
                let session = Session(credential: credential, client: client, changes: changes, ring: ring)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await self.watch(session) { isUp.replace(with: true) } }
                    tasks.addTask { try await self.report(session) }
                    tasks.addTask { try await self.renewInTime(session) }
                    defer { tasks.cancelAll() }
                    try await tasks.next()
                }
            }
            return "the controller ended the stream"
        } catch SessionEnd.identityChanged {
            return nil
        } catch SessionEnd.silent {
            return "the controller does not answer"
        } catch {
            return Self.words(error)
        }
    }

    // MARK: The stream

    private func watch(_ session: Session, isUp: @escaping @Sendable () -> Void) async throws {
        let resources = self.applied.resources
        let machine = Mutex(
            WatchClientMachine<ControlResource>(
                version: resources.version, held: resources.lasting.mapValues(\.version)))
        let first = ControlWatchRequest(machine.withLock { $0.connected() })
        // Each part of a change has an answer, and the one to the last part counts: where many wait, the oldest are left out.
        let (answers, send) = AsyncStream.makeStream(
            of: ControlWatchRequest.self, bufferingPolicy: .bufferingNewest(64))
        defer { send.finish() }
        try await session.node.watch { writer in
            try await writer.write(first)
            for await answer in answers { try await writer.write(answer) }
        } onResponse: { response in
            let parts = try response.accepted.get().bodyParts
            isUp()
            self.connected()
            var lifetimes: [ResourceKey: Duration] = [:]
            var unknown: String?
            for try await case .message(let message) in parts {
                lifetimes.merge(message.readLifetimes) { $1 }
                unknown = unknown ?? message.unknownResource
                let answer: WatchAnswer?
                switch machine.withLock({ $0.received(WatchPart(message)) }) {
                case .answer(let made): answer = made
                case .end(let fault): throw IdentityFault("\(fault)")
                case .apply(let change):
                    answer = await self.apply(change, lifetimes, unknown: unknown, machine)
                    (lifetimes, unknown) = ([:], nil)
                    session.ring.yield()
                }
                if let answer { send.yield(ControlWatchRequest(answer)) }
            }
        }
    }

    private func connected() {
        self.confirmed(at: self.time.date)
        self.update {
            $0.isConnected = true
            $0.problem = nil
        }
        self.logger.notice("following the controller")
    }

    /// Applies a change on a thread of its own: a state may be large.
    ///
    /// - Parameter unknown: a resource in it that this program has no type for. Then the change is refused: a node that goes on
    ///   without what its controller asks for would say that it serves by it.
    private func apply(
        _ change: WatchedChange<ControlResource>, _ lifetimes: [ResourceKey: Duration], unknown: String?,
        _ machine: borrowing Mutex<WatchClientMachine<ControlResource>>
    ) async -> WatchAnswer? {
        let (applied, now) = (self.applied, self.time.now)
        let outcome = await onOwnThread("control") {
            Result { () throws(ResourceFault) in
                if let unknown {
                    throw ResourceFault(nil, "\(unknown) is of a type that this program does not know: update relayd")
                }
                try applied.take(change, lifetimes: lifetimes, at: now)
            }
        }
        let types = Set(change.changed.map(\.key.type) + change.removed.map(\.type))
        switch outcome {
        case .success:
            self.metrics.count(types, .applied)
            self.metrics.applied(applied.resources)
            self.confirmed(at: self.time.date)
            self.update { $0.problem = nil }
            self.logger.info(
                "applied a state of the controller",
                metadata: [
                    "state": .stringConvertible(change.target), "changed": .stringConvertible(change.changed.count),
                    "removed": .stringConvertible(change.removed.count),
                ])
            self.keepLastGood()
            return machine.withLock { $0.applied(change) }
        case .failure(let fault):
            self.metrics.count(fault.key.map { [$0.type] } ?? Array(types), .refused)
            self.tellRefusal(of: change.target, fault)
            return machine.withLock { $0.refused(change, resource: fault.key, reason: fault.reason) }
        }
    }

    private func tellRefusal(of version: UInt64, _ fault: ResourceFault) {
        let what = "\(fault.key.map { "\($0): " } ?? "")\(fault.reason)"
        self.update { $0.problem = "refuses state \(version) of the controller: \(what)" }
        self.logger.error(
            "refused a state of the controller: what was in force stays",
            metadata: [
                "state": .stringConvertible(version), "resource": "\(fault.key.map { "\($0)" } ?? "")",
                "reason": "\(fault.reason)",
            ])
    }

    /// What cannot be kept is told; the node goes on.
    private func keepLastGood() {
        guard case .found(let credential) = self.settings.directory.identity else { return }
        let resources = self.applied.resources
        do {
            let messages = try resources.lasting.sorted { $0.key < $1.key }.map {
                try ControlResource(serializedBytes: $0.value.serialized)
            }
            try self.settings.directory.keep(
                LastGood(version: resources.version, resources: messages, savedAt: self.time.date), for: credential)
        } catch {
            self.logger.error(
                "cannot keep the state of the controller for the next start", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Reports

    /// Tells what is served at each change, and every 30 s.
    private func report(_ session: Session) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for await _ in session.changes { try await self.reportOnce(session) }
            }
            tasks.addTask {
                while true {
                    try await self.time.sleep(for: Self.reportInterval)
                    session.ring.yield()
                }
            }
            session.ring.yield()
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    private func reportOnce(_ session: Session) async throws {
        let resources = self.applied.resources
        var request = ControlReportServedRequest()
        request.stateVersion = resources.version
        request.resources = resources.served
        request.programVersion = self.settings.programVersion
        request.trustedAuthoritiesSha256 = session.credential.authorities.map { Data(Digests.sha256($0.value.der)) }
        let sent = self.time.date
        request.clock = Google_Protobuf_Timestamp(sent)
        var options = CallOptions.defaults
        options.timeout = Self.callTimeout
        let message = request
        let response: ControlReportServedResponse
        do {
            response = try await session.node.reportServed(message, options: options)
        } catch let error as RPCError where error.code == .deadlineExceeded {
            // A peer that is gone without a word shows by this alone.
            throw SessionEnd.silent
        } catch {
            return self.logger.debug("a report of what is served failed", metadata: ["error": "\(error)"])
        }
        self.confirmed(at: self.time.date)
        self.compare(Timestamp(response.clock), sent: sent, received: self.time.date)
        try await self.takeAuthorities(response, session)
    }

    /// Warns of clocks that differ by more than 2 s (control 15).
    private func compare(_ theirs: Timestamp, sent: Timestamp, received: Timestamp) {
        let middle = sent + (received - sent) / 2
        let offset = ClockOffset(theirs: middle, ours: theirs)
        guard offset.isExcessive else { return }
        self.logger.warning(
            "the clock of this node differs from the controller's",
            metadata: ["node_clock": "\(middle)", "controller_clock": "\(theirs)", "offset": "\(offset)"])
    }

    /// Trusts what the controller says is to be trusted (control 14).
    private func takeAuthorities(_ response: ControlReportServedResponse, _ session: Session) async throws {
        let told = response.authoritiesDer.map { Array($0) }
        if !told.isEmpty, Set(told) != Set(session.credential.authorities.map(\.value.der)) {
            let next = try ClusterCredential(
                key: session.credential.key, certificate: session.credential.certificate,
                authorities: told.map { try Certificate(der: $0) })
            try self.settings.directory.keep(next)
            self.logger.notice(
                "the authorities of the cluster have changed",
                metadata: ["authorities": .stringConvertible(next.authorities.count)])
            throw SessionEnd.identityChanged
        }
        guard response.renew else { return }
        do {
            try await self.renew(session)
        } catch let error as RPCError {
            self.logger.warning(
                "cannot renew the certificate of this node", metadata: ["reason": "\(Self.words(error))"])
        }
    }

    // MARK: Renewal

    /// Renews the certificate at half of its life.
    private func renewInTime(_ session: Session) async throws {
        while true {
            let rest = session.credential.renewAt - self.time.date
            // In steps, so that a clock that is set counts.
            guard rest <= .zero else {
                try await self.time.sleep(for: min(rest, .seconds(60)))
                continue
            }
            do {
                try await self.renew(session)
            } catch let error as RPCError {
                self.logger.warning(
                    "cannot renew the certificate of this node",
                    metadata: [
                        "reason": "\(Self.words(error))",
                        "not_after": "\(session.credential.certificate.value.notAfter)",
                    ])
                // Until it has expired; then the node asks to come back.
                if session.credential.certificate.value.notAfter < self.time.date { throw SessionEnd.identityChanged }
                try await self.time.sleep(for: Self.renewalRetry)
            }
        }
    }

    private func renew(_ session: Session) async throws {
        let next = try await self.requests.renew(session.credential, by: session.client)
        self.tellIdentity("this node has a new certificate", next)
        throw SessionEnd.identityChanged
    }
}
