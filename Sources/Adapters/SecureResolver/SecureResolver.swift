public import DANE
public import Logging
public import MailModel
import Synchronization

/// A validating resolver: libunbound in processes of its own, behind a bounded cache with single flight in this one.
///
/// A *secure* answer is one that libunbound validated from a trust anchor; a *failed* one never looks like absence.
/// Whoever runs the resolver calls `selfTest()` on start and now and then. While that says anything but
/// `.validating`, the node is not ready and defers mail: the resolver keeps answering, but *insecure* and *failed*
/// may then be our own fault rather than the domain's (dane-rules 38). A *secure* answer stays proven whatever it says.
public final class SecureResolver: Sendable {
    private typealias Waiter = CheckedContinuation<DNSAnswer, Never>

    private let thread: ResolverThread
    private let program: ResolverProgram
    private let flights: Mutex<Flights<Waiter>>
    private let nextWaiter = Atomic<UInt64>(0)
    private let reading: AnswerReading
    private let deadline: Duration
    private let selfTestZone: DomainName?
    private let logger: Logger
    private let now: @Sendable () -> Timestamp

    /// One line that says what this resolver validates with: anchors by key tag, and whom it asks.
    public let startupDescription: String

    /// Starts the resolver's process and lets libunbound read its configuration and anchors.
    ///
    /// - Parameters:
    ///   - now: the clock that lifetimes and signature expiry are judged by.
    public init(
        settings: SecureResolverSettings, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) async throws(SecureResolverError) {
        let configuration = try UnboundConfiguration(settings)
        self.program = ResolverProgram(
            executable: settings.executable, arguments: settings.arguments, allowance: Self.allowance(settings),
            configuration: configuration)
        self.thread = try await ResolverThread(self.program, logger: logger, now: now)
        self.flights = Mutex(
            Flights(
                cache: AnswerCache(maximumEntries: settings.cacheEntries, maximumBytes: settings.cacheBytes),
                maximumFlights: settings.concurrentQueries))
        self.reading = AnswerReading(
            maximumRecords: settings.maximumRecords, maximumAliases: settings.maximumAliases,
            anchors: configuration.anchors)
        self.deadline = settings.queryDeadline
        self.selfTestZone = settings.selfTestZone
        self.logger = logger
        self.now = now
        self.startupDescription = "libunbound \(UnboundContext.version) \(configuration.description)"
        logger.info("resolver started", metadata: ["resolver": "\(self.startupDescription)"])
    }

    deinit { self.thread.send(.stop {}) }

    /// The answer to one question, from the cache or from the DNS. Equal questions under way share one query.
    ///
    /// A cancelled caller gets `.failed(.resolverUnavailable)` promptly; the query lives on for others that wait for it.
    public func answer(to question: DNSQuestion) async -> DNSAnswer {
        let identifier = self.nextWaiter.wrappingAdd(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let now = self.now()
                let action = self.flights.withLock { flights -> Flights<Waiter>.OnQuestion in
                    // The handler below may have run already, and then found nobody to wake.
                    if Task.isCancelled { return .answer(Self.cancelled) }
                    return flights.asked(question, by: identifier, waiter, at: now)
                }
                switch action {
                case .answer(let answer): waiter.resume(returning: answer)
                case .begin: self.begin(question)
                case .wait: ()
                }
            }
        } onCancel: {
            self.flights.withLock { $0.cancelled(identifier, question) }?.resume(returning: Self.cancelled)
        }
    }

    /// Asks for the SOA record of the root (or of `selfTestZone`), past all caches, and says whether this resolver validates.
    ///
    /// That record is signed anew most often, and no signature is valid before it was made: a clock that is a day behind
    /// shows here, though the keys' own signatures may be weeks old. When the task is cancelled it is broken off.
    public func selfTest() async -> ValidationStatus {
        let zone = "\(self.selfTestZone?.text ?? "")."
        // A context that was just made has nothing in its caches. One that has would pass while nobody answers; and how long
        // things are cached holds for the whole process, so that a context without a cache cannot live beside the other.
        let fresh: ResolverThread
        do throws(SecureResolverError) {
            fresh = try await ResolverThread(self.program, logger: self.logger, now: self.now)
        } catch {
            return .unreachable("\(error)")
        }
        defer { fresh.send(.stop {}) }
        let first = FirstOutcome()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                first.wait(waiter)
                let question = LookupQuestion(name: self.selfTestZone?.text ?? "", type: DNSType.soa)
                fresh.send(.resolve(question, deadline: .now + self.deadline) { first.came($0) })
            }
        } onCancel: {
            first.came(.unavailable("the self-test was withdrawn"))
        }
        return ValidationStatus(outcome, startOf: zone)
    }

    /// What has happened so far.
    public var statistics: ResolverStatistics { self.flights.withLock { $0.snapshot } }

    /// The ids of the processes that run now, the oldest first.
    public var children: [Int32] { self.thread.processes }

    /// Fails everybody who waits with `.resolverUnavailable`. Later questions fail the same way.
    public func refuse() {
        for waiter in self.flights.withLock({ $0.close() }) {
            waiter.resume(returning: .failed(.resolverUnavailable("the resolver is shut down")))
        }
    }

    /// Does as `refuse` does, and ends the thread.
    public func shutdown() async {
        self.refuse()
        await withCheckedContinuation { done in self.thread.send(.stop { done.resume() }) }
    }

    /// Caches, and as much again as what is under way may take; a socket for each query that libunbound may have open.
    private static func allowance(_ settings: SecureResolverSettings) -> ResolverAllowance {
        ResolverAllowance(
            memory: UInt64(max(settings.cacheBytes, 0)) + 448 << 20, descriptors: 4_096,
            isLockedIn: settings.isLockedIn)
    }

    private static let cancelled = DNSAnswer.failed(.resolverUnavailable("the question was withdrawn"))

    private func begin(_ question: DNSQuestion) {
        let begun = ContinuousClock.now
        let asked = LookupQuestion(name: question.name.text, type: question.type.rawValue)
        self.thread.send(
            .resolve(asked, deadline: begun + self.deadline) { [weak self] outcome in
                self?.ended(question, outcome, took: begun.duration(to: .now))
            })
    }

    private func ended(_ question: DNSQuestion, _ outcome: QueryOutcome, took: Duration) {
        let now = self.now()
        let timed: TimedAnswer =
            switch outcome {
            case .answered(let raw): self.reading.read(raw, to: question, at: now)
            case .timedOut: TimedAnswer(answer: .failed(.timeout), lifetime: AnswerReading.lifetime(of: .timeout))
            case .excessive(let reason):
                TimedAnswer(
                    answer: .failed(.excessive(reason)), lifetime: AnswerReading.lifetime(of: .excessive(reason)))
            case .unavailable(let reason): TimedAnswer(answer: .failed(.resolverUnavailable(reason)), lifetime: .zero)
            }
        let kind = ResolverStatistics.QueryKind(question.type, outcome, timed.answer)
        self.logger.debug(
            "resolved",
            metadata: [
                "name": "\(question.name)", "type": "\(question.type)", "security": "\(kind.security.rawValue)",
                "rcode": "\(kind.rcode)",
            ])
        let waiters = self.flights.withLock { $0.ended(question, timed, kind, took: took, at: now) }
        for waiter in waiters { waiter.resume(returning: timed.answer) }
    }
}
