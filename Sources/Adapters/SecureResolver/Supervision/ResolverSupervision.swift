/// Which child answers which question, and what becomes of both when a child dies, hangs, grows or computes without end.
///
/// A pure value: instants come as arguments, and what is to be done goes out as actions. One child has all questions
/// but those that are suspected of having ended one, alone or together with others. These are asked one at a time, each
/// in a separate child.
///
/// ```
///            asked                       death, or late
///  question ───────▶ the main child ──────────────────────▶ line of suspects ───▶ a child of its own
///                          │                                                        │          │ second death
///                          ▼                                                        ▼          ▼
///                        answer                                                   answer   quarantine
/// ```
struct ResolverSupervision {
    typealias Instant = ContinuousClock.Instant

    /// What is to be done.
    enum Action: Equatable {
        case start(Int)
        case send(Int, ResolverRequest)
        /// Kill this child, which counts as gone already.
        case end(Int)
        /// Tell whoever asked.
        case finish(UInt64, QueryOutcome)
        case log(Event)
    }

    /// What an operator should know.
    enum Event: Equatable, Sendable {
        case replaced(ResolverDeath, questions: Int)
        case cannotStart(String)
        case quarantined(LookupQuestion, Duration, ResolverDeath)
        /// Several children died with questions for this name, or for names below it, which are asked alone for so long.
        case suspected(String, Duration)
    }

    /// What a child has used so far.
    struct Usage: Equatable {
        var processorTime: Duration
        var memory: UInt64
    }

    private enum Role {
        case main
        /// It keeps the questions that it has, and gets no more.
        case retiring
        /// It has one question at a time.
        case isolated
    }

    private struct Child {
        var role: Role
        let started: Instant
        var isReady = false
        var questions: Set<UInt64> = []
        /// When it last answered anything.
        var lastHeard: Instant
        var ping: (number: UInt64, sent: Instant, processorTime: Duration)?
        var usage = Usage(processorTime: .zero, memory: 0)
        /// Where the window began in which its use of the processor is judged.
        var window: (began: Instant, processorTime: Duration, answers: Int)
        var answers = 0
        /// Since when it has the question that is alone in it, or has none, and what it had used by then.
        var since: (Instant, processorTime: Duration)

        init(_ role: Role, _ now: Instant) {
            self.role = role
            self.started = now
            self.lastHeard = now
            self.window = (now, .zero, 0)
            self.since = (now, .zero)
        }
    }

    private struct Query {
        let question: LookupQuestion
        let deadline: Instant
        /// When it was first asked.
        let asked: Instant
        var deaths = 0
        var attempts = 0
        var children: Set<Int> = []
    }

    private let limits: ResolverLimits
    private var children: [Int: Child] = [:]
    private var queries: [UInt64: Query] = [:]
    /// Questions for the main child, which is not ready yet.
    private var waiting: [UInt64] = []
    /// Questions for a child of their own; the last is the next.
    private var suspects: [UInt64] = []
    private var quarantine: Quarantine
    private var suspectZones: SuspectZones
    private var nextChild = 1
    private var nextPing: UInt64 = 1
    private var lastTick: Instant
    /// Children that ended before they were ready, one after the other.
    private var failedStarts = 0
    private var nextStart: Instant
    /// Why the last child did not start.
    private(set) var lastFailure = ""
    private(set) var counters = ResolverCounters()

    init(_ limits: ResolverLimits = ResolverLimits(), at now: Instant) {
        self.limits = limits
        self.quarantine = Quarantine(limits)
        self.suspectZones = SuspectZones(limits)
        self.lastTick = now
        self.nextStart = now
    }

    // MARK: What others ask

    /// Starts the first child.
    mutating func begin(at now: Instant) -> [Action] { self.startMain(now) }

    /// How many questions are under way.
    var questionsUnderWay: Int { self.queries.count }

    /// When something is to be done even if nothing happens.
    func nextTick(after now: Instant) -> Duration {
        self.queries.isEmpty && self.children.count == 1 && self.hasReadyMain ? .seconds(1) : self.limits.interval
    }

    /// Whether there is a child that takes questions.
    var hasReadyMain: Bool { self.main.flatMap { self.children[$0]?.isReady } ?? false }

    /// The children that have this question under way; for tests.
    func holders(of number: UInt64) -> Set<Int> { self.queries[number]?.children ?? [] }

    /// The child that has all questions but suspects; 0 while there is none.
    var mainChild: Int { self.main ?? 0 }

    private var main: Int? { self.children.first { $0.value.role == .main }?.key }

    // MARK: Events

    /// Somebody asks. `number` is new, and below 2⁶³.
    mutating func asked(_ number: UInt64, _ question: LookupQuestion, deadline: Instant, at now: Instant) -> [Action] {
        if let end = self.quarantine.end(of: question, at: now) {
            return [.finish(number, .excessive(Self.quarantineText(end - now)))]
        }
        self.queries[number] = Query(question: question, deadline: deadline, asked: now)
        if self.quarantine.remembers(question) || self.suspectZones.suspects(question, at: now) {
            // Those that may be innocent go first.
            self.suspects.insert(number, at: 0)
            return self.clearSuspects(now)
        }
        guard let main, self.children[main]?.isReady == true else {
            self.waiting.append(number)
            return []
        }
        return self.send(number, to: main, now)
    }

    /// A child said something.
    mutating func heard(_ child: Int, _ report: ResolverReport, at now: Instant) -> [Action] {
        guard let role = self.children[child]?.role else { return [] }
        self.children[child]?.lastHeard = now
        switch report {
        case .ready:
            guard self.children[child]?.isReady == false else { return self.died(child, .malformed, now) }
            self.children[child]?.isReady = true
            self.failedStarts = 0
            self.nextStart = now
            if role == .main { return self.sendWaiting(to: child, now) + self.clearSuspects(now) }
            return self.clearSuspects(now)
        case .refused(let reason): return self.died(child, .refused(reason), now)
        case .answer(let number, let raw): return self.ended(number, by: child, .answered(raw), now)
        case .failed(let number, let reason): return self.ended(number, by: child, .unavailable(reason), now)
        case .pong(let number):
            if self.children[child]?.ping?.number == number { self.children[child]?.ping = nil }
            return []
        }
    }

    /// A child is gone, or speaks no language that we know.
    mutating func died(_ child: Int, _ death: ResolverDeath, _ now: Instant) -> [Action] {
        guard let gone = self.children.removeValue(forKey: child) else { return [] }
        self.counters.deaths[death.kind, default: 0] += 1
        var actions: [Action] = [.end(child)]
        if gone.isReady {
            actions.append(.log(.replaced(death, questions: gone.questions.count)))
        } else {
            self.backOff(death, now)
            actions.append(.log(.cannotStart("\(death)")))
        }
        if gone.role != .isolated, death.isCausedByAnswers {
            actions += self.blame(gone.questions.compactMap { self.queries[$0]?.question }, now)
        }
        actions += self.abandon(gone.questions, in: child, death, now)
        if gone.role == .main { actions += self.startMain(now) }
        return actions + self.clearSuspects(now)
    }

    /// All that is known is of no use any more: everybody is told, and all begins anew.
    mutating func reset(_ reason: String, at now: Instant) -> [Action] {
        var actions = self.endAll(reason)
        actions += self.startMain(now)
        return actions
    }

    /// Other children take the place of all that there are, and are asked all that is under way.
    mutating func renew(at now: Instant) -> [Action] {
        let actions = self.children.keys.sorted().map { Action.end($0) }
        self.children = [:]
        for number in self.queries.keys { self.queries[number]?.children = [] }
        let suspects = Set(self.suspects)
        self.waiting = self.queries.keys.filter { !suspects.contains($0) }.sorted()
        self.nextStart = now
        return actions + self.startMain(now)
    }

    /// Everybody is told, and no child is left.
    mutating func endAll(_ reason: String) -> [Action] {
        let actions =
            self.children.keys.sorted().map { Action.end($0) }
            + self.queries.keys.sorted().map { Action.finish($0, .unavailable(reason)) }
        self.children = [:]
        self.queries = [:]
        self.waiting = []
        self.suspects = []
        return actions
    }

    /// Time has passed, and this is what the children have used.
    mutating func tick(_ usage: [Int: Usage], at now: Instant) -> [Action] {
        let pause = now - self.lastTick
        self.lastTick = now
        // Who slept too long must not reproach others with silence.
        if pause > self.limits.interval + self.limits.late {
            for child in self.children.keys { self.children[child]?.lastHeard = now }
        }
        for (child, usage) in usage { self.children[child]?.usage = usage }
        var actions = self.expire(now)
        for child in self.children.keys.sorted() { actions += self.judge(child, now) }
        if self.main == nil { actions += self.startMain(now) }
        actions += self.clearSuspects(now)
        for child in self.children.keys.sorted() { actions += self.askWhetherItLives(child, now) }
        return actions
    }

    // MARK: Questions

    private mutating func send(_ number: UInt64, to child: Int, _ now: Instant) -> [Action] {
        guard let question = self.queries[number]?.question else { return [] }
        self.queries[number]?.attempts += 1
        self.queries[number]?.children.insert(child)
        self.children[child]?.questions.insert(number)
        return [.send(child, .question(number, name: question.name, type: question.type))]
    }

    private mutating func sendWaiting(to child: Int, _ now: Instant) -> [Action] {
        let waiting = exchange(&self.waiting, with: [])
        return waiting.flatMap { self.send($0, to: child, now) }
    }

    /// An outcome from a child, which counts only where it was asked.
    private mutating func ended(
        _ number: UInt64, by child: Int, _ outcome: QueryOutcome, _ now: Instant
    ) -> [Action] {
        guard self.children[child]?.questions.contains(number) == true, let query = self.queries[number] else {
            return []
        }
        self.children[child]?.answers += 1
        if self.children[child]?.role == .isolated { self.quarantine.answered(query.question) }
        return self.finish(number, outcome, by: child, now) + self.clearSuspects(now)
    }

    /// Tells whoever asked, and each child that still looks for it.
    private mutating func finish(
        _ number: UInt64, _ outcome: QueryOutcome, by answering: Int? = nil, _ now: Instant
    ) -> [Action] {
        guard let query = self.queries.removeValue(forKey: number) else { return [] }
        var actions: [Action] = [.finish(number, outcome)]
        for child in query.children.sorted() {
            self.children[child]?.questions.remove(number)
            if child != answering { actions.append(.send(child, .withdraw(number))) }
            if let usage = self.children[child]?.usage { self.children[child]?.since = (now, usage.processorTime) }
        }
        return actions
    }

    private mutating func expire(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        for (number, query) in self.queries where query.deadline <= now {
            // Only what was looked for can be said not to be found.
            let outcome: QueryOutcome =
                query.children.isEmpty ? .unavailable(self.reasonForWaiting) : .timedOut
            actions += self.finish(number, outcome, now)
        }
        if !actions.isEmpty {
            self.waiting.removeAll { self.queries[$0] == nil }
            self.suspects.removeAll { self.queries[$0] == nil }
        }
        return actions
    }

    private var reasonForWaiting: String {
        self.lastFailure.isEmpty ? "the resolver was replaced meanwhile" : "no resolver starts: \(self.lastFailure)"
    }

    /// Their child is gone: each question is asked again, alone, unless it was there before.
    private mutating func abandon(
        _ numbers: Set<UInt64>, in child: Int, _ death: ResolverDeath, _ now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        var suspects: [(UInt64, Instant)] = []
        for number in numbers {
            self.queries[number]?.children.remove(child)
            if death.isCausedByAnswers { self.queries[number]?.deaths += 1 }
            guard let query = self.queries[number] else { continue }
            if query.deaths >= 2 {
                actions += self.quarantine(number, query.question, death, now)
            } else if query.attempts >= self.limits.attempts {
                actions += self.finish(number, .unavailable("the resolver ended \(query.attempts) times"), now)
            } else if query.children.isEmpty {
                suspects.append((number, query.asked))
            }
        }
        self.suspect(suspects)
        return actions
    }

    /// Blames these questions for a death.
    private mutating func blame(_ questions: [LookupQuestion], share: Double = 1, _ now: Instant) -> [Action] {
        self.suspectZones.died(with: questions, share: share, at: now)
            .map { .log(.suspected($0, self.limits.firstQuarantine)) }
    }

    /// What was asked last is the most likely to be answered at once, so it comes first: the end of the line is its head.
    private mutating func suspect(_ numbers: [(UInt64, Instant)]) {
        let known = Set(self.suspects)
        self.suspects += numbers.filter { !known.contains($0.0) }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
    }

    private mutating func quarantine(
        _ number: UInt64, _ question: LookupQuestion, _ death: ResolverDeath, _ now: Instant
    ) -> [Action] {
        let time = self.quarantine.add(question, at: now)
        self.counters.quarantines += 1
        return [.log(.quarantined(question, time, death))]
            + self.blame([question], share: self.limits.blameOfQuarantine, now)
            + self.finish(number, .excessive("\(death); \(Self.quarantineText(time))"), now)
    }

    private static func quarantineText(_ time: Duration) -> String {
        "it ended our resolver, and is not asked for \((time + .seconds(59)).components.seconds / 60) minutes"
    }

    /// Gives suspects to children that have nothing else to do.
    private mutating func clearSuspects(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        while let number = self.suspects.last {
            guard self.queries[number] != nil else {
                self.suspects.removeLast()
                continue
            }
            let isolated = self.children.filter { $0.value.role == .isolated }
            if let free = isolated.filter({ $0.value.isReady && $0.value.questions.isEmpty }).keys.min() {
                self.suspects.removeLast()
                let used = self.children[free]?.usage.processorTime ?? .zero
                self.children[free]?.since = (now, used)
                actions += self.send(number, to: free, now)
            } else {
                let starting = isolated.count { !$0.value.isReady }
                guard isolated.count < self.limits.isolated, starting < self.suspects.count, now >= self.nextStart
                else { break }
                actions += self.start(.isolated, now)
            }
        }
        return actions
    }

    // MARK: Children

    private mutating func startMain(_ now: Instant) -> [Action] {
        guard self.main == nil, now >= self.nextStart else { return [] }
        return self.start(.main, now)
    }

    private mutating func start(_ role: Role, _ now: Instant) -> [Action] {
        let number = self.nextChild
        self.nextChild += 1
        self.children[number] = Child(role, now)
        self.counters.starts += 1
        return [.start(number)]
    }

    private mutating func backOff(_ death: ResolverDeath, _ now: Instant) {
        self.lastFailure = "\(death)"
        let wait = min(self.limits.firstBackoff * (1 << min(self.failedStarts, 10)), self.limits.longestBackoff)
        self.failedStarts += 1
        self.nextStart = now + wait
    }

    /// Ends children that hang, have grown, compute without end, or have nothing left to do.
    private mutating func judge(_ number: Int, _ now: Instant) -> [Action] {
        guard let child = self.children[number] else { return [] }
        guard child.isReady else {
            return now - child.started > self.limits.startingTime ? self.died(number, .hung, now) : []
        }
        if child.usage.memory > self.limits.memory { return self.died(number, .grown(child.usage.memory), now) }
        if child.questions.isEmpty {
            switch child.role {
            case .main: ()
            case .retiring: return self.dismiss(number)
            case .isolated: if now - child.since.0 > self.limits.idle { return self.dismiss(number) }
            }
        }
        if let ping = child.ping {
            let silence = now - max(ping.sent, child.lastHeard)
            let computes = child.usage.processorTime - ping.processorTime > silence / 2
            if silence > (computes ? self.limits.hung : self.limits.silent) { return self.died(number, .hung, now) }
            if child.role == .main, silence > (computes ? self.limits.late : self.limits.hung) {
                return self.retire(number, now)
            }
        }
        return child.role == .isolated ? self.judgeLookup(number, child, now) : self.judgeUse(number, child, now)
    }

    /// One that is alone pays for all that its child computes.
    private mutating func judgeLookup(_ number: Int, _ child: Child, _ now: Instant) -> [Action] {
        guard let question = child.questions.first else { return [] }
        let used = child.usage.processorTime - child.since.processorTime
        if used > self.limits.processorTime {
            self.queries[question]?.deaths = 2
            return self.died(number, .computing(used), now)
        }
        guard now - child.since.0 > self.limits.slice, !self.suspects.isEmpty else { return [] }
        return self.finish(question, .unavailable("the resolver was replaced meanwhile"), now)
    }

    /// A child that computes and hardly answers has a question that costs too much; which one is found out one at a time.
    private mutating func judgeUse(_ number: Int, _ child: Child, _ now: Instant) -> [Action] {
        let time = now - child.window.began
        guard time >= self.limits.window else { return [] }
        let used = child.usage.processorTime - child.window.processorTime
        let answers = child.answers - child.window.answers
        self.children[number]?.window = (now, child.usage.processorTime, child.answers)
        guard used > time * self.limits.share, used > self.limits.answerCost * (answers + 1), !child.questions.isEmpty
        else { return [] }
        return self.died(number, .computing(used), now)
    }

    /// Puts another in its place. What it has under way it may still answer, and is asked elsewhere too.
    private mutating func retire(_ number: Int, _ now: Instant) -> [Action] {
        guard let child = self.children[number] else { return [] }
        self.children[number]?.role = .retiring
        self.counters.late += 1
        self.suspect(child.questions.compactMap { id in self.queries[id].map { (id, $0.asked) } })
        var actions = self.startMain(now)
        // One at a time is enough: whoever was late before has had its time.
        for (other, value) in self.children where value.role == .retiring && other != number {
            actions += self.died(other, .hung, now)
        }
        return actions + self.clearSuspects(now)
    }

    private mutating func dismiss(_ number: Int) -> [Action] {
        self.children[number] = nil
        return [.end(number)]
    }

    private mutating func askWhetherItLives(_ number: Int, _ now: Instant) -> [Action] {
        guard let child = self.children[number], child.isReady, child.ping == nil, !child.questions.isEmpty else {
            return []
        }
        let ping = self.nextPing
        self.nextPing += 1
        self.children[number]?.ping = (ping, now, child.usage.processorTime)
        return [.send(number, .ping(ping))]
    }
}
