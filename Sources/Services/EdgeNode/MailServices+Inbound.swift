import Admission
import DaemonSupport
import Delivery
import Inbound
import Logging
import MailModel
import NIOCore
import NodeState
import OperatingSystem
import QueueStore
import RelayConfiguration
import ServiceLifecycle
import ServiceSupport
import ShardLeases

extension MailServices {
    /// What takes mail in, in the order of its start.
    func inbound(
        _ parts: Parts, _ writer: QueueWriter, _ authenticator: Authenticator, _ callAhead: CallAheadService,
        _ standing: StandingRules
    ) async throws -> [any Service] {
        let staging = self.configuration.stagingBudget(time: self.time)
        let admission = AdmissionServices(
            authenticator: authenticator, verifier: callAhead, returning: try self.returningDomains(parts),
            rule: { standing.governing($0, isFromNullSender: $1 == .null, at: parts.clock.now) },
            storage: StorageMonitor(
                self.configuration.storageLimits, staging: staging, store: parts.store, metrics: self.metrics.inbound,
                time: self.time, logger: self.logger, isWriterCongested: { writer.isCongested }),
            monitor: parts.monitor, copyBudget: self.configuration.copyBudget)
        return admission.services + [try await self.inboundService(parts, writer, staging, admission)]
    }

    private func returningDomains(_ parts: Parts) throws -> ReturningDomains {
        ReturningDomains(
            ReturningMail(
                self.configuration, resolver: self.foundations.resolver, interfaces: try LocalAddresses.ofInterfaces(),
                time: self.time, random: self.random),
            state: parts.state, time: self.time, logger: self.logger)
    }

    private func inboundService(
        _ parts: Parts, _ writer: QueueWriter, _ staging: StagingBudget, _ admission: AdmissionServices
    ) async throws -> InboundService {
        let supervisor = TaskSupervisor(backlog: 65_536)
        let intake = self.intake(parts, writer, supervisor)
        let limiter = ConnectionLimiter(limits: self.configuration.connectionLimits)
        let clients = ChannelRegistry(time: self.time)
        let listeners = self.configuration.smtp.listeners.map { listener in
            SMTPListener(
                settings: self.configuration.settings(of: listener),
                environment: admission.environment(
                    InboundEnvironment(
                        session: self.configuration.session(of: listener),
                        timeouts: self.configuration.serverTimeouts, patience: self.configuration.patience,
                        state: parts.state, intake: intake, metrics: self.metrics.inbound, time: self.time,
                        random: self.random, submission: self.configuration.submissionRules, stagingBudget: staging)),
                limiter: limiter, clients: clients, group: parts.group, logger: self.logger)
        }
        return InboundService(
            listeners: try await self.bound(listeners), limiter: limiter, clients: clients, intake: supervisor,
            health: self.foundations.health,
            draining: self.metrics.draining, time: self.time, drainDelay: self.configuration.drain.delay,
            drainTime: self.configuration.drain.timeout)
    }

    private func intake(_ parts: Parts, _ writer: QueueWriter, _ supervisor: TaskSupervisor) -> MessageIntake {
        MessageIntake(
            enqueue: { message async throws(QueueStoreError) in try await writer.enqueue(message) },
            bodyWriter: { writer.bodyWriter(for: $0) }, supervisor: supervisor, metrics: self.metrics.inbound,
            time: self.time, logger: self.logger,
            log: InboundLog(
                self.logger, metrics: self.metrics.inbound, hasAddresses: self.configuration.telemetry.logAddresses,
                networks: self.configuration.clientNetworks),
            monitor: parts.monitor)
    }

    /// Binds all addresses, before anything is taken over from another run of this node.
    private func bound(_ listeners: [SMTPListener]) async throws -> [any Channel] {
        var channels: [any Channel] = []
        for (index, listener) in listeners.enumerated() {
            do {
                channels.append(try await listener.bind())
            } catch let error as IOError {
                throw ListenError.configurationOrTransient(
                    errno: error.errnoCode, at: listener.settings.address, key: "smtp.listeners",
                    element: "[\(index)].address", in: self.loaded)
            }
        }
        return channels
    }
}

/// Delivery asks next hops for those who take mail in.
extension CallAheadService: RecipientVerifier {}
