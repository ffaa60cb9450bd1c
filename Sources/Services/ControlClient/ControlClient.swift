package import ClusterModel
import Cryptography
import GRPCCore
package import GRPCTransport
package import Logging
package import MailModel
package import NIOCore
import ServiceLifecycle
import ServiceSupport
import Synchronization
import Telemetry

/// What a node is to its controller.
package struct ControlClientSettings: Sendable {
    package var addresses: [TransportAddress]
    package var directory: StateDirectory
    package var token: JoinToken?
    package var nodeName: DomainName
    /// Told to the controller.
    package var programVersion: String

    package init(
        addresses: [TransportAddress], directory: StateDirectory, token: JoinToken?, nodeName: DomainName,
        programVersion: String
    ) {
        self.addresses = addresses
        self.directory = directory
        self.token = token
        self.nodeName = nodeName
        self.programVersion = programVersion
    }
}

/// Follows the controller: gets the node its identity and keeps that fresh, applies what the stream brings, tells what is
/// served, and keeps the last good state for starts without the controller.
package final class ControlClient: Service {
    let settings: ControlClientSettings
    let applied: AppliedState
    let metrics: ControlMetrics
    let time: any NodeClock
    let random: RandomSource
    let logger: Logger
    let group: any EventLoopGroup
    private let standing = Mutex(ControlStanding())
    /// Hears of each change of the standing.
    private let observe: @Sendable (ControlStanding) -> Void
    private let plan: IdentityPlan
    /// How often a controller has not served this node: each time it begins with the next address.
    private let turn = Mutex(0)

    package init(
        _ settings: ControlClientSettings, applied: AppliedState, metrics: ControlMetrics, time: any NodeClock,
        random: RandomSource, group: any EventLoopGroup, logger: Logger,
        observe: @escaping @Sendable (ControlStanding) -> Void
    ) {
        self.settings = settings
        self.applied = applied
        self.metrics = metrics
        self.time = time
        self.random = random
        self.group = group
        self.logger = logger
        self.observe = observe
        self.plan = IdentityPlan(nodeName: settings.nodeName, token: settings.token)
    }

    /// Takes up the state that was kept, so that a node serves before it has reached its controller. What is damaged or another
    /// node's is told, and left aside.
    package func begin() {
        self.update { $0.problem = nil }
        guard case .found(let credential) = self.settings.directory.identity else { return }
        do {
            guard let kept = try self.settings.directory.lastGood(for: credential) else { return }
            try self.applied.begin(with: kept, at: self.time.now)
            self.metrics.applied(self.applied.resources)
            self.confirmed(at: kept.savedAt)
            self.logger.notice(
                "serving by the last state of the controller, until it answers",
                metadata: [
                    "state": .stringConvertible(kept.version), "saved_at": "\(kept.savedAt)",
                    "age_seconds": .stringConvertible((self.time.date - kept.savedAt).components.seconds),
                ])
        } catch let fault as ResourceFault {
            self.tellUnusable("\(fault.key.map { "\($0): " } ?? "")\(fault.reason)")
        } catch {
            self.tellUnusable("\(error)")
        }
    }

    private func tellUnusable(_ reason: String) {
        self.logger.error(
            "the kept state of the controller cannot be used: waiting for a new one", metadata: ["reason": "\(reason)"])
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            async let dropping: Void = self.dropEnded()
            await self.followController()
            await dropping
        }
    }

    private func followController() async {
        var backoff = ReconnectBackoff()
        var refusal: String?
        while !Task.isCancelled {
            let problem: String?
            switch self.plan.step(self.settings.directory.identity, refusal: refusal, at: self.time.date) {
            case .follow(let credential):
                refusal = nil
                problem = await self.follow(credential, &backoff)
            case .comeBack(let credential): problem = await self.comeBack(credential, &refusal)
            case .enrol(let token): problem = await self.enrol(token)
            case .stuck(let reason): problem = reason
            }
            guard let problem, !Task.isCancelled else { continue }
            self.tell(problem)
            // A replica that lags or is cut from its database takes connections all the same.
            self.turn.withLock { $0 = ($0 + 1) % max(1, self.settings.addresses.count) }
            let wait = backoff.failed(random: self.draw())
            try? await self.time.sleep(for: .nanoseconds(wait.nanoseconds))
        }
    }

    // MARK: Identity

    var requests: IdentityRequests {
        IdentityRequests(directory: self.settings.directory, nodeName: self.settings.nodeName, time: self.time) {
            self.connection($0)
        }
    }

    func connection(_ proof: ControllerConnection.Proof) -> ControllerConnection {
        let turn = self.turn.withLock { $0 }
        let addresses = self.settings.addresses
        return ControllerConnection(
            addresses: Array(addresses.dropFirst(turn) + addresses.prefix(turn)), proof, group: self.group,
            random: self.random)
    }

    private func enrol(_ token: JoinToken) async -> String? {
        do {
            let credential = try await self.requests.enrol(token)
            self.tellIdentity("this node is enrolled", credential)
            return nil
        } catch {
            return "cannot enrol: \(Self.words(error))"
        }
    }

    /// - Parameter refusal: set once the controller has said that the old key does not count any more.
    private func comeBack(_ credential: ClusterCredential, _ refusal: inout String?) async -> String? {
        do {
            self.tellIdentity("this node has a new certificate", try await self.requests.comeBack(credential))
            return nil
        } catch let error as RPCError where error.isRefusal {
            refusal = error.message
            return "the certificate of this node expired, and the controller does not renew it: \(error.message)"
        } catch {
            let end = credential.certificate.value.notAfter
            return "the certificate of this node expired at \(end): \(Self.words(error))"
        }
    }

    func tellIdentity(_ message: Logger.Message, _ credential: ClusterCredential) {
        self.logger.notice(
            message,
            metadata: [
                "identity": "\(credential.identity)", "not_after": "\(credential.certificate.value.notAfter)",
            ])
    }

    // MARK: Standing

    /// Records a change of how the node stands, and tells it.
    func update(_ change: (inout ControlStanding) -> Void) {
        let resources = self.applied.isInForce ? self.applied.resources.version : nil
        let next = self.standing.withLock { standing in
            change(&standing)
            standing.version = resources
            return standing
        }
        self.metrics.connected.set(next.isConnected)
        self.observe(next)
    }

    /// The controller has said now, or then, what the node serves by.
    func confirmed(at date: Timestamp) {
        self.metrics.confirmedAt.set(Int(date.microseconds / 1_000_000))
        self.update { $0.confirmedAt = date }
    }

    /// Logs a problem when it is a new one.
    func tell(_ problem: String) {
        let isNew = self.standing.withLock { $0.problem != problem }
        self.update {
            $0.isConnected = false
            $0.problem = problem
        }
        if isNew { self.logger.warning("not following the controller", metadata: ["reason": "\(problem)"]) }
    }

    private func draw() -> Double {
        var random = self.random
        return Double.random(in: 0...1, using: &random)
    }

    static func words(_ error: any Error) -> String {
        guard let error = error as? RPCError else { return "\(error)" }
        return error.message.isEmpty ? "\(error.code)" : error.message
    }
}

extension RPCError {
    /// The controller has decided; to ask again changes nothing.
    var isRefusal: Bool {
        [.permissionDenied, .failedPrecondition, .notFound, .invalidArgument, .unauthenticated].contains(self.code)
    }
}
