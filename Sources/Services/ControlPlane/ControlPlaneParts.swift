import ClusterModel
import ControlAPI
import ControlStore
import GRPCCore
import GRPCTransport
import Logging
import MailModel
import PostgresDriver
import QueueService
import ServiceSupport
import Telemetry

/// The parts of a replica, and what connects them.
struct ControlPlaneParts: Sendable {
    let authority: ClusterAuthority
    let streams: NodeStreams
    let leadership: Leadership
    let clock: any NodeClock
    private let store: ControlStore
    private let table: StateTable
    private let revocations: RevocationTable
    private let observations: NodeObservations
    private let metrics: ControlPlaneMetrics
    private let logger: Logger

    init(
        _ settings: ControlPlaneSettings, store: ControlStore, keys: KeyRing, clock: any NodeClock,
        random: RandomSource,
        metrics: ControlPlaneMetrics, logger: Logger
    ) async throws {
        guard let cluster = try await store.cluster() else {
            throw ControlPlaneError("the cluster is not initialised: run relay-controller init")
        }
        self.store = store
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        self.authority = try await ClusterAuthority(
            cluster: cluster.name, replica: settings.replica, terms: settings.terms, store: store, keys: keys,
            clock: clock)
        self.table = try await StateTable(store: store, clock: clock)
        self.revocations = RevocationTable(store: store, clock: clock)
        try await self.revocations.refresh()
        self.streams = NodeStreams(gauge: metrics.streams)
        self.observations = NodeObservations(store: store, replica: settings.replica)
        self.leadership = Leadership(
            store: store, table: self.table, replica: settings.replica,
            incarnation: PostgresUUID(high: random.next(), low: random.next()), clock: clock, metrics: metrics,
            logger: logger)
    }

    /// Whether the database has answered lately.
    var isInTouch: Bool {
        self.revocations.heard.map { self.clock.now - $0 < AccessInterceptor.trustedAge } ?? false
    }

    // MARK: Following the database

    /// Follows the database until the task is cancelled.
    func follow() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.repeating("state", every: StateTable.interval) { try await self.lookAtState() } }
            group.addTask {
                await self.repeating("revocations", every: .milliseconds(250)) {
                    try await self.revocations.refresh()
                    try await self.observations.flush()
                }
            }
            group.addTask { await self.repeating("authority", every: .seconds(1)) { try await self.lookAtAuthority() } }
            group.addTask {
                await self.repeating("leadership", every: Leadership.interval) { try await self.leadership.step() }
            }
        }
    }

    private func lookAtState() async throws {
        try await self.table.look()
        self.metrics.stateVersion.set(Int(clamping: self.table.published.version))
    }

    private func lookAtAuthority() async throws {
        try await self.authority.refresh()
        self.metrics.authorityNotBefore.set(Int(self.authority.notBefore.microseconds / 1_000_000))
        self.metrics.authorityNotAfter.set(Int(self.authority.notAfter.microseconds / 1_000_000))
    }

    /// Does something again and again. The first of several failures is logged, and that it works again.
    private func repeating(_ what: String, every interval: Duration, _ body: () async throws -> Void) async {
        var hasFailed = false
        while !Task.isCancelled {
            do {
                try await body()
                if hasFailed { self.log(.notice, "The controller reads its database again.", what) }
                hasFailed = false
            } catch {
                if !hasFailed, !Task.isCancelled {
                    self.log(.warning, "The controller cannot read its database.", what, error)
                }
                hasFailed = true
            }
            try? await self.clock.sleep(for: interval)
        }
    }

    private func log(_ level: Logger.Level, _ text: Logger.Message, _ what: String, _ error: (any Error)? = nil) {
        var metadata: Logger.Metadata = [
            LogKey.event: "\(LogEventName.control.rawValue)", LogKey.action: "\(what)",
        ]
        metadata.add([(LogKey.reason, error.map { "\($0)" })])
        self.logger.log(level: level, text, metadata: metadata)
    }
}

extension ControlPlaneParts {
    /// All services, behind the table of permissions.
    func router(_ settings: ControlPlaneSettings) throws -> RPCRouter<GRPCServerTransport> {
        let enrolments = EnrolmentLog(counter: self.metrics.enrolments, logger: self.logger)
        let services = self.nodeServices(settings, enrolments) + self.administration(settings, enrolments)
        var router = RPCRouter<GRPCServerTransport>()
        for service in services { service.registerMethods(with: &router) }
        let names = Set(router.methods.map(\.service.fullyQualifiedService))
        let isServing = { @Sendable in self.isInTouch && !self.streams.isClosed }
        HealthService(services: names, clock: self.clock, isServing: isServing).registerMethods(with: &router)
        if settings.offersReflection {
            try ReflectionService(services: names.union([GRPCHealth.descriptor.fullyQualifiedService]))
                .registerMethods(with: &router)
        }
        let access = AccessInterceptor(
            cluster: self.authority.cluster, revocations: self.revocations, clock: self.clock,
            errors: ErrorStatus(logger: self.logger))
        router.registerInterceptors(pipeline: [.apply(access, to: .all)])
        return router
    }

    private func nodeServices(
        _ settings: ControlPlaneSettings, _ enrolments: EnrolmentLog
    ) -> [any RegistrableRPCService] {
        [
            EnrollmentService(
                authority: self.authority, store: self.store, clock: self.clock, limit: settings.enrolments,
                log: enrolments),
            NodeService(
                authority: self.authority, table: self.table, observations: self.observations, streams: self.streams,
                revocations: self.revocations, snapshotsPerSecond: settings.snapshotsPerSecond, enrolments: enrolments,
                metrics: self.metrics, logger: self.logger),
        ]
    }

    private func administration(
        _ settings: ControlPlaneSettings, _ enrolments: EnrolmentLog
    ) -> [any RegistrableRPCService] {
        let writer = StateWriter(
            store: self.store, table: self.table, counter: self.metrics.changes, logger: self.logger)
        let lists = RequestBudget(RequestLimit(perSecond: 10, burst: 10, atOnce: 2), clock: self.clock)
        return [
            DomainService(writer: writer, lists: lists),
            UserService(writer: writer, keys: self.authority.keys),
            CertificateService(writer: writer, keys: self.authority.keys, clock: self.clock),
            FleetService(
                authority: self.authority, store: self.store, writer: writer, revocations: self.revocations,
                clock: self.clock),
            ClusterService(
                authority: self.authority, store: self.store, writer: writer, clock: self.clock, enrolments: enrolments,
                replica: settings.replica, programVersion: settings.programVersion),
            QueueServiceProvider(
                connection: settings.queue, caller: { () throws(RPCError) in try Caller.known().identity.uri }),
        ]
    }
}
