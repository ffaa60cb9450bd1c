import DNSModel
import MailModel

/// Cache, queries under way and counters of one resolver: decisions only, made under the resolver's lock.
///
/// `Waiter` is whatever the resolver needs to answer somebody; nothing here calls it.
struct InFlightLookups<Waiter> {
    enum OnQuestion {
        /// Answer now.
        case answer(DNSAnswer)
        /// The waiter was kept; a query is already under way.
        case wait
        /// The waiter was kept; start the query, and say with its answer by what was known then.
        case begin(Knowledge)
    }

    /// All that was learnt between two times that answers were forgotten.
    struct Knowledge: Equatable {
        fileprivate var number: UInt64 = 0
    }

    private(set) var cache: AnswerCache
    private(set) var knowledge = Knowledge()
    private var waiters: [DNSQuestion: [UInt64: Waiter]] = [:]
    private(set) var admission: LookupAdmission
    private var isClosed = false
    private var statistics = ResolverStatistics()

    /// Nothing under way, nothing cached.
    init(cache: AnswerCache, maximumLookups: Int) {
        self.cache = cache
        self.admission = LookupAdmission(slots: maximumLookups)
    }

    /// Somebody asks.
    mutating func asked(
        _ question: DNSQuestion, by identifier: UInt64, _ waiter: Waiter, at now: Timestamp
    ) -> OnQuestion {
        guard !self.isClosed else { return .answer(.failed(.resolverUnavailable("the resolver is shut down"))) }
        if let answer = self.cache.answer(to: question, at: now) {
            self.statistics.cacheHits += 1
            return .answer(answer)
        }
        if self.waiters[question] != nil {
            self.statistics.cacheJoins += 1
            self.waiters[question]?[identifier] = waiter
            return .wait
        }
        if let limit = self.admission.begin(question) {
            self.statistics.refusals[limit, default: 0] += 1
            return .answer(.failed(.resolverUnavailable(self.text(limit))))
        }
        self.statistics.cacheMisses += 1
        self.waiters[question] = [identifier: waiter]
        return .begin(self.knowledge)
    }

    /// The answers to these questions if there is one to each, none of them a failure.
    mutating func known(_ questions: Set<DNSQuestion>, at now: Timestamp) -> [DNSQuestion: DNSAnswer]? {
        guard !self.isClosed else { return nil }
        var answers: [DNSQuestion: DNSAnswer] = [:]
        for question in questions {
            guard let answer = self.cache.peek(question, at: now) else { return nil }
            if case .failed = answer { return nil }
            answers[question] = answer
        }
        self.statistics.cacheHits += UInt64(answers.count)
        return answers
    }

    /// Somebody no longer waits. The query goes on and fills the cache, and ends by its deadline at the latest.
    mutating func cancelled(_ identifier: UInt64, _ question: DNSQuestion) -> Waiter? {
        self.waiters[question]?.removeValue(forKey: identifier)
    }

    /// A query ended; its answer is kept, and those who wait are to be told. It is not kept where answers were forgotten since it
    /// began, for it may be one of them.
    mutating func ended(
        _ question: DNSQuestion, _ timed: TimedAnswer, _ kind: ResolverStatistics.QueryKind, took: Duration,
        of knowledge: Knowledge, at now: Timestamp
    ) -> [Waiter] {
        self.statistics.queries[kind, default: 0] += 1
        self.statistics.queryTime[question.type, default: .zero] += took
        self.admission.ended(question, isAnswered: !timed.answer.isFailure, took: took)
        self.keep(question, timed, of: knowledge, at: now)
        return self.waiters.removeValue(forKey: question).map { Array($0.values) } ?? []
    }

    /// What the DNS says now takes the place of what was kept.
    mutating func renewed(
        _ question: DNSQuestion, _ timed: TimedAnswer, of knowledge: Knowledge, at now: Timestamp
    ) {
        self.keep(question, timed, of: knowledge, at: now)
    }

    private mutating func keep(
        _ question: DNSQuestion, _ timed: TimedAnswer, of knowledge: Knowledge, at now: Timestamp
    ) {
        if !self.isClosed, knowledge == self.knowledge { self.cache.store(timed, to: question, at: now) }
    }

    /// Whether so many questions are under way that one which is not answered in time says nothing of the domain.
    var isSaturated: Bool { self.admission.isSaturated }

    private func text(_ limit: LookupLimit) -> String {
        switch limit {
        case .all: "\(self.admission.slots) queries are under way"
        case .domain: "too many queries are under way for names of its domain"
        case .silent: "\(self.admission.silentSlots) queries are under way for names that said nothing"
        }
    }

    /// Forgets all answers: they came from a resolver that is not believed any more.
    mutating func forget() {
        self.cache.removeAll()
        self.knowledge.number += 1
    }

    /// Forgets these answers, in whose place others may stand by now.
    mutating func forget(_ outdated: OutdatedAnswers) {
        if outdated.isEverything { return self.forget() }
        self.cache.removeAll(where: outdated.covers)
        self.knowledge.number += 1
    }

    /// No more questions; everybody who waits is to be told.
    mutating func close() -> [Waiter] {
        self.isClosed = true
        defer { self.waiters = [:] }
        return self.waiters.values.flatMap(\.values)
    }

    /// The counters, with the gauges as they stand.
    var snapshot: ResolverStatistics {
        var snapshot = self.statistics
        snapshot.cacheEntries = self.cache.count
        snapshot.cacheEvictions = self.cache.evictions
        snapshot.queriesUnderWay = self.waiters.count
        return snapshot
    }
}
