package import Admission
import Cryptography
package import Logging
package import MailModel
package import NodeState
import SMTPProtocol
import ServiceLifecycle
import ServiceSupport
import Synchronization
import Telemetry

/// Says what the credentials of AUTH are worth.
///
/// A client that failed too often, and one too many at once, hear "not now" without a look at the password. Passwords
/// that were right are remembered for a while by a keyed digest of name and password, whose key dies with the process.
/// So a busy client does not cost a computation per connection. They are forgotten once the user no longer has the hash
/// that they matched, since users may be replaced meanwhile. An unknown name takes as long as a known one.
package final class Authenticator: Service {
    /// The settings under `auth`.
    package struct Limits: Hashable, Sendable {
        var threads: Int
        var waiting: Int
        var failures: Int
        var failureWindow: Duration
        var cacheTime: Duration
        var clients: ClientNetworks

        package init(
            threads: Int, waiting: Int, failures: Int, failureWindow: Duration, cacheTime: Duration,
            clients: ClientNetworks = ClientNetworks()
        ) {
            self.threads = threads
            self.waiting = waiting
            self.failures = failures
            self.failureWindow = failureWindow
            self.cacheTime = cacheTime
            self.clients = clients
        }
    }

    /// The most right passwords that are remembered.
    private static let rememberedSuccesses = 10_000

    private let users: @Sendable () -> UserCredentials?
    private let limits: Limits
    private let workers: PasswordWorkers
    private let failures: Mutex<FailureTable>
    private let successes = Mutex(ExpiringCache<[UInt8], PasswordHash>(maximumEntries: rememberedSuccesses))
    private let digest = KeyedDigest()
    private let metrics: InboundMetrics
    private let logger: Logger
    private let time: any NodeClock

    package init(
        users: @escaping @Sendable () -> UserCredentials?, limits: Limits, metrics: InboundMetrics, time: any NodeClock,
        logger: Logger
    ) {
        self.users = users
        self.limits = limits
        self.workers = PasswordWorkers(threads: limits.threads, waiting: limits.waiting)
        self.failures = Mutex(
            FailureTable(limit: limits.failures, window: limits.failureWindow, clients: limits.clients))
        self.metrics = metrics
        self.logger = logger
        self.time = time
    }

    /// Keeps the threads until the clients are gone.
    package func run() async throws {
        self.announce()
        await cancelWhenGracefulShutdown {
            await self.time.sleepUntilCancelled()
        }
        await self.workers.shutDown()
    }

    /// Says that there are users, if there are any.
    package func announce() {
        guard let users = self.users() else { return }
        let memory = ByteCount(users.memoryBytes * self.limits.threads)
        self.logger.notice(
            "AUTH is offered over TLS",
            metadata: ["users": .stringConvertible(users.count), "memory": "at most \(memory)"])
    }

    /// Judges credentials of a client at this address. When the last users have gone, nobody is refused for good.
    func judge(_ credentials: SASLCredentials, from client: IPAddress) async -> SASLDecision {
        let decision = await self.decide(credentials, client)
        switch decision {
        case .accepted: self.metrics.smtpdAuthentications.increment(.accepted)
        case .refused: self.metrics.smtpdAuthentications.increment(.refused)
        case .unavailable: self.metrics.smtpdAuthentications.increment(.unavailable)
        }
        // Names of users are addresses as often as not, and so in no log.
        self.logger.info("authentication", metadata: ["client": "\(client)", "result": "\(decision.word)"])
        return decision
    }

    private func decide(_ credentials: SASLCredentials, _ client: IPAddress) async -> SASLDecision {
        guard !self.isBlocked(client) else { return .unavailable }
        let name = credentials.authenticationID
        // Nobody acts for somebody else here.
        guard credentials.authorizationID.isEmpty || credentials.authorizationID == name else {
            return self.refuse(client)
        }
        // The length keeps the two apart.
        let key = self.digest(Array("\(name.utf8.count) \(name)".utf8) + credentials.password)
        guard let (hash, isKnown) = self.users()?.hash(of: name) else { return .unavailable }
        if self.isRemembered(key, hash) { return .accepted(identity: name) }
        let matches = await self.workers.matches(credentials.password, hash) { !self.isBlocked(client) }
        guard let matches else { return .unavailable }
        guard matches, isKnown else { return self.refuse(client) }
        let end = self.time.now + self.limits.cacheTime
        self.successes.withLock { $0.store(hash, of: key, until: end) }
        return .accepted(identity: name)
    }

    private func isBlocked(_ client: IPAddress) -> Bool {
        let now = self.time.now
        return self.failures.withLock { $0.isBlocked(client, at: now) }
    }

    private func isRemembered(_ key: [UInt8], _ hash: PasswordHash) -> Bool {
        let now = self.time.now
        return self.successes.withLock { $0.value(of: key, at: now) == hash }
    }

    private func refuse(_ client: IPAddress) -> SASLDecision {
        let now = self.time.now
        self.failures.withLock { $0.failed(client, at: now) }
        return .refused
    }
}

extension SASLDecision {
    fileprivate var word: String {
        switch self {
        case .accepted: "accepted"
        case .refused: "refused"
        case .unavailable: "unavailable"
        }
    }
}
