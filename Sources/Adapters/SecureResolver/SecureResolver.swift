public import DNSModel
public import Logging
public import MailModel
import Synchronization

/// A validating resolver: libunbound in separate processes, behind a bounded cache in this one, with one query for
/// equal questions.
///
/// A *secure* answer is one that libunbound validated from a trust anchor; a *failed* one never looks like absence.
/// Whoever runs the resolver calls `selfTest()` on start and now and then. While that says anything but `.validating`,
/// the node is not ready and defers mail. The resolver keeps answering, but *insecure* and *failed* may then be our own
/// fault rather than the domain's (dane-rules 38). A *secure* answer stays proven whatever it says.
public final class SecureResolver: Sendable {
    private typealias Waiter = CheckedContinuation<DNSAnswer, Never>

    /// What the children at work are made of, and how their answers are read.
    private struct Working {
        var program: ResolverProgram
        var reading: AnswerReading
        /// When another child was last started to compare with.
        var compared: ContinuousClock.Instant?
        /// Anchors that were tried last and not taken, and why.
        var refused: (program: ResolverProgram, reason: String, tried: ContinuousClock.Instant)?
        var fresh = FreshLookups()
        var renewed = RenewedQuestions()
    }

    /// How often the child at work is compared with a fresh one at the most.
    private static let comparison = Duration.seconds(30)
    /// How often the same anchors are tried that were refused, where nobody asks for it.
    private static let retrial = Duration.seconds(20)

    private let settings: SecureResolverSettings
    private let thread: ResolverThread
    private let working: Mutex<Working>
    private let inFlight: Mutex<InFlightLookups<Waiter>>
    private let nextWaiter = Atomic<UInt64>(0)
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
        let settings = settings.fitting()
        let configuration = try UnboundConfiguration(settings)
        let program = Self.program(settings, configuration)
        self.thread = try await ResolverThread(program, logger: logger, now: now)
        self.settings = settings
        self.working = Mutex(Working(program: program, reading: Self.reading(settings, configuration)))
        self.inFlight = Mutex(
            InFlightLookups(
                cache: AnswerCache(maximumEntries: settings.cacheEntries, maximumBytes: settings.cacheBytes),
                maximumLookups: min(settings.concurrentQueries, settings.sockets)))
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
                let action = self.inFlight.withLock { inFlight -> InFlightLookups<Waiter>.OnQuestion in
                    // The handler below may have run already, and then found nobody to wake.
                    if Task.isCancelled { return .answer(Self.cancelled) }
                    return inFlight.asked(question, by: identifier, waiter, at: now)
                }
                switch action {
                case .answer(let answer): waiter.resume(returning: answer)
                case .begin(let knowledge): self.begin(question, knowledge)
                case .wait: ()
                }
            }
        } onCancel: {
            self.inFlight.withLock { $0.cancelled(identifier, question) }?.resume(returning: Self.cancelled)
        }
    }

    /// What came of `renew`.
    public enum Renewal: Hashable, Sendable {
        /// The answer is what the DNS says now.
        case renewed
        /// It was not asked, or said nothing: the answer from the cache stays, until then where one is kept.
        case kept(until: Timestamp?)
    }

    /// Asks past all caches, in a process of its own, and keeps the answer instead of what was kept; a failure replaces nothing.
    /// How often that may be says `FreshLookups`.
    ///
    /// The child at work still has the old answer. Where that is another one, and lives longer, the child is replaced before
    /// it is asked for this again (`RenewedQuestions`).
    public func renew(_ question: DNSQuestion) async -> Renewal {
        let now = self.now()
        let (old, end, knowledge) = self.inFlight.withLock {
            ($0.cache.peek(question, at: now), $0.cache.expiry(of: question, at: now), $0.knowledge)
        }
        let kept = Renewal.kept(until: end)
        let permitted = self.working.withLock { $0.fresh.begin(question, at: .now) ? $0.program : nil }
        guard let program = permitted else { return kept }
        var isNews = false
        defer { self.working.withLock { $0.fresh.ended(question, foundNews: isNews) } }
        guard let fresh = try? await ResolverThread(program, logger: self.logger, now: self.now) else { return kept }
        defer { fresh.send(.stop {}) }
        let asked = LookupQuestion(name: question.name.text, type: question.type.rawValue)
        let time = min(self.deadline, FreshLookups.deadline)
        guard case .answered(let raw) = await Self.ask(fresh, asked, time) else { return kept }
        let answered = self.now()
        let timed = self.working.withLock { $0.reading }.read(raw, to: question, at: answered)
        if case .failed = timed.answer { return kept }
        // What is no longer kept here, the child does not know either.
        if let old, let end, !old.saysTheSame(as: timed.answer) {
            isNews = true
            let end = RenewedQuestions.end(of: old, keptUntil: end, at: answered)
            if self.working.withLock({ $0.renewed.renewed(question, until: end) }) { self.replace() }
        }
        self.inFlight.withLock { $0.renewed(question, timed, of: knowledge, at: answered) }
        return .renewed
    }

    /// What the cache says, without asking anybody.
    public func cached(_ question: DNSQuestion) -> DNSAnswer? {
        let now = self.now()
        return self.inFlight.withLock { $0.cache.peek(question, at: now) }
    }

    /// The cache's answers to all of these questions at once, which count as asked; `nil` where one is missing or a failure.
    public func known(_ questions: Set<DNSQuestion>) -> [DNSQuestion: DNSAnswer]? {
        let now = self.now()
        return self.inFlight.withLock { $0.known(questions, at: now) }
    }

    /// Has these answers looked up anew. It removes them from the cache, and replaces the child at work. libunbound
    /// keeps answers of its own, and no call of it forgets them. What is under way is asked again in the new child.
    /// Whoever calls this bounds how often.
    public func forget(_ outdated: OutdatedAnswers) {
        // In this order, so that whatever is asked for the first time afterwards is asked in the new child.
        self.replace()
        self.inFlight.withLock { $0.forget(outdated) }
    }

    /// Whether the child at work is made of these settings, and of what their files say now.
    public func isMade(of settings: SecureResolverSettings) -> Bool {
        guard settings.fitting() == self.settings, let configuration = try? UnboundConfiguration(self.settings) else {
            return false
        }
        return self.working.withLock { $0.program.configuration == configuration }
    }

    private func replace() {
        // Sent under the lock: of two programs the later one is to win.
        self.working.withLock { working in
            working.renewed.replaced(at: .now)
            self.thread.send(.replace(working.program))
        }
    }

    /// Asks the child at work for a name that there is not, which the root (or `selfTestZone`) must deny securely, and says
    /// whether it validates.
    ///
    /// No cache knows the name, and a denial comes with the zone's SOA record, which is signed anew most often. No
    /// signature is valid before it was made, so a clock that is a day behind shows here. Where the child at work
    /// fails, it is compared with a fresh one, made of the anchors as they are now. If that one validates, it replaces
    /// the other. When the task is cancelled it is broken off.
    public func selfTest() async -> ValidationStatus {
        let zone = self.selfTestZone.map { ".\($0.text)" } ?? ""
        let name = "_25._tcp.relay-\(String(UInt64.random(in: .min ... .max), radix: 36))\(zone)"
        let outcome = await Self.ask(
            self.thread, LookupQuestion(name: name, type: DNSQuestion.RecordType.tlsa.rawValue), self.deadline)
        let status = ValidationStatus(outcome, denialBelow: self.zoneText)
        guard status != .validating, self.mayCompare() else { return status }
        return await self.compare(status)
    }

    /// Reads the files of anchors and hints anew, and works with what they say from now on if that validates. Nothing happens
    /// where they say what they said; where they are no good, what was in force stays. Gives the reason for that.
    ///
    /// - Parameter isRoutine: it looks by itself, perhaps each second. A trial takes a thread and a process, so the same anchors are
    ///   then tried once in a while only.
    public func reload(isRoutine: Bool = false) async -> String? {
        do throws(SecureResolverError) {
            let configuration = try UnboundConfiguration(self.settings)
            let program = Self.program(self.settings, configuration)
            guard program != self.working.withLock({ $0.program }) else { return nil }
            let began = ContinuousClock.now
            if isRoutine, let reason = self.refusal(of: program, at: began) { return reason }
            let status = await self.validation(of: program)
            guard status == .validating else {
                let reason = "the trust anchors as they are now: \(status)"
                self.working.withLock { $0.refused = (program, reason, began) }
                return reason
            }
            self.adopt(program)
            return nil
        } catch {
            return error.description
        }
    }

    /// Why these anchors were not taken a moment ago.
    private func refusal(of program: ResolverProgram, at now: ContinuousClock.Instant) -> String? {
        self.working.withLock { working in
            guard let refused = working.refused, refused.program == program, now - refused.tried < Self.retrial else {
                return nil
            }
            return refused.reason
        }
    }

    private var zoneText: String { "\(self.selfTestZone?.text ?? "")." }

    private func mayCompare() -> Bool {
        self.working.withLock { working in
            if let last = working.compared, ContinuousClock.now - last < Self.comparison { return false }
            working.compared = .now
            return true
        }
    }

    /// Tries a fresh child with the anchors as they are now, and replaces the one at work if they disagree.
    private func compare(_ status: ValidationStatus) async -> ValidationStatus {
        let configuration = try? UnboundConfiguration(self.settings)
        let program = configuration.map { Self.program(self.settings, $0) } ?? self.working.withLock { $0.program }
        guard await self.validation(of: program) == .validating else { return status }
        self.logger.error(
            "the resolver at work does not validate, and a fresh one does: it is replaced",
            metadata: ["reason": "\(status)"])
        self.adopt(program)
        return .validating
    }

    /// Other children take the place of those at work, and nothing is known any more.
    private func adopt(_ program: ResolverProgram) {
        self.working.withLock { working in
            working.program = program
            working.reading = Self.reading(self.settings, program.configuration)
        }
        self.replace()
        self.inFlight.withLock { $0.forget() }
        self.logger.notice(
            "resolver replaced", metadata: ["resolver": "\(program.configuration.description)"])
    }

    /// Whether a child of its own, made of this, validates the SOA record of the root (or of `selfTestZone`).
    private func validation(of program: ResolverProgram) async -> ValidationStatus {
        let fresh: ResolverThread
        do throws(SecureResolverError) {
            fresh = try await ResolverThread(program, logger: self.logger, now: self.now)
        } catch {
            return .unreachable("\(error)")
        }
        defer { fresh.send(.stop {}) }
        let outcome = await Self.ask(
            fresh, LookupQuestion(name: self.selfTestZone?.text ?? "", type: DNSType.soa), self.deadline)
        return ValidationStatus(outcome, startOf: self.zoneText)
    }

    private static func ask(
        _ thread: ResolverThread, _ question: LookupQuestion, _ time: Duration
    ) async -> QueryOutcome {
        let first = FirstOutcome()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                first.wait(waiter)
                thread.send(.resolve(question, deadline: .now + time) { first.came($0) })
            }
        } onCancel: {
            first.came(.unavailable("the self-test was withdrawn"))
        }
    }

    /// The domains that are not validated now, by the operator's word.
    public var unvalidatedDomains: [UnvalidatedDomain] {
        let now = self.now()
        return self.settings.unvalidatedDomains.filter { now < $0.until }
    }

    /// How many look-ups a limit allows at once: of all, of one domain at the most, of silent names.
    public func lookups(within limit: LookupLimit) -> Int {
        self.inFlight.withLock { inFlight in
            switch limit {
            case .all: inFlight.admission.slots
            case .domain: inFlight.admission.slots / 2
            case .silent: inFlight.admission.silentSlots
            }
        }
    }

    /// What has happened so far.
    public var statistics: ResolverStatistics {
        var statistics = self.inFlight.withLock { $0.snapshot }
        statistics.processes = self.thread.counters
        return statistics
    }

    /// The ids of the processes that run now, the oldest first.
    public var children: [Int32] { self.thread.processes }

    /// Fails everybody who waits with `.resolverUnavailable`. Later questions fail the same way.
    public func refuse() {
        for waiter in self.inFlight.withLock({ $0.close() }) {
            waiter.resume(returning: .failed(.resolverUnavailable("the resolver is shut down")))
        }
    }

    /// Does as `refuse` does, and ends the thread.
    public func shutdown() async {
        self.refuse()
        await withCheckedContinuation { done in self.thread.send(.stop { done.resume() }) }
    }

    /// Caches, and as much again as what is under way may take; a socket for each query that libunbound may have open.
    private static func program(
        _ settings: SecureResolverSettings, _ configuration: UnboundConfiguration
    ) -> ResolverProgram {
        ResolverProgram(
            executable: settings.executable, arguments: settings.arguments,
            allowance: ResolverAllowance(
                memory: UInt64(max(settings.cacheBytes, 0)) + 448 << 20,
                descriptors: UInt32(settings.sockets + SecureResolverSettings.otherDescriptors),
                isLockedIn: settings.isLockedIn),
            configuration: configuration)
    }

    private static func reading(
        _ settings: SecureResolverSettings, _ configuration: UnboundConfiguration
    ) -> AnswerReading {
        AnswerReading(
            maximumRecords: settings.maximumRecords, maximumAliases: settings.maximumAliases,
            anchors: configuration.anchors, unvalidated: settings.unvalidatedDomains)
    }

    private static let cancelled = DNSAnswer.failed(.resolverUnavailable("the question was withdrawn"))

    private func begin(_ question: DNSQuestion, _ knowledge: InFlightLookups<Waiter>.Knowledge) {
        let begun = ContinuousClock.now
        let now = self.now()
        switch self.working.withLock({ $0.renewed.asked(question, at: begun, now) }) {
        case .ask: ()
        case .replaceFirst: self.replace()
        case .refuse:
            return self.ended(question, .unavailable(RenewedQuestions.refusal), of: knowledge, took: .zero)
        }
        let asked = LookupQuestion(name: question.name.text, type: question.type.rawValue)
        self.thread.send(
            .resolve(asked, deadline: begun + self.deadline) { [weak self] outcome in
                self?.ended(question, outcome, of: knowledge, took: begun.duration(to: .now))
            })
    }

    private func ended(
        _ question: DNSQuestion, _ outcome: QueryOutcome, of knowledge: InFlightLookups<Waiter>.Knowledge,
        took: Duration
    ) {
        let now = self.now()
        let timed: TimedAnswer =
            switch outcome {
            case .answered(let raw): self.working.withLock { $0.reading }.read(raw, to: question, at: now)
            case .timedOut where self.inFlight.withLock(\.isSaturated):
                TimedAnswer(answer: .failed(.resolverUnavailable("no answer in time among too many")), lifetime: .zero)
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
        let waiters = self.inFlight.withLock { $0.ended(question, timed, kind, took: took, of: knowledge, at: now) }
        for waiter in waiters { waiter.resume(returning: timed.answer) }
    }
}
