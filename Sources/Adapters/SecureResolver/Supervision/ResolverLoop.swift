import Glibc
import Logging
import MailModel

/// What the resolver's thread has in its hands: children and those who wait for answers. It waits, reads, and does what
/// `ResolverSupervision` says.
struct ResolverLoop {
    private var program: ResolverProgram
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private var supervision: ResolverSupervision
    private var children: [Int: ResolverProcess] = [:]
    private var waiting: [UInt64: @Sendable (QueryOutcome) -> Void] = [:]
    private var nextNumber: UInt64 = 1
    /// Those that poll(2) said something of.
    private var readable: [Int] = []
    private var nextTick = ContinuousClock.now
    /// libunbound keeps answers until a time of day. Were the clock set back, they would outlive their TTL by as much.
    /// What was proven under a wrong clock would pass for proven under the right one.
    private var watch: ClockWatch
    /// What children are configured with, until a domain is validated again.
    private var configuration: String

    init(_ program: ResolverProgram, logger: Logger, now: @escaping @Sendable () -> Timestamp) {
        self.program = program
        self.logger = logger
        self.now = now
        self.supervision = ResolverSupervision(.ofThisProgram, at: .now)
        let time = now()
        self.watch = ClockWatch(time, .now)
        self.configuration = program.configuration.text(at: time)
    }

    /// The processes that run, by age.
    var processes: [Int32] { self.children.sorted { $0.key < $1.key }.map(\.value.process) }

    var counters: ResolverCounters { self.supervision.counters }

    /// Starts the first child and waits until it takes questions. Gives what went wrong.
    mutating func begin() -> SecureResolverError? {
        self.perform(self.supervision.begin(at: .now))
        while self.supervision.counters.deaths.isEmpty, !self.supervision.hasReadyMain {
            _ = self.wait(or: -1)
            self.turn()
        }
        return self.supervision.hasReadyMain
            ? nil : SecureResolverError(.libraryFailure, "no resolver starts", cause: self.supervision.lastFailure)
    }

    /// Waits until something is to be done; whether that is by `descriptor`.
    mutating func wait(or descriptor: Int32) -> Bool {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        let numbers = Array(self.children.keys)
        for number in numbers {
            guard let child = self.children[number] else { continue }
            let events = Int16(POLLIN) | (child.hasMore ? Int16(POLLOUT) : 0)
            descriptors.append(pollfd(fd: child.socket.descriptor, events: events, revents: 0))
            // A negative descriptor is passed over (poll(2)).
            descriptors.append(pollfd(fd: child.errors, events: Int16(POLLIN), revents: 0))
        }
        let left = ContinuousClock.now.duration(to: self.nextTick)
        let milliseconds = Int32(clamping: max(0, left.components.seconds * 1_000 + left.milliseconds + 1))
        // `poll` writes only into the elements that it is given.
        _ = unsafe poll(&descriptors, nfds_t(descriptors.count), left <= .zero ? 0 : milliseconds)
        self.readable = numbers.indices.compactMap { index in
            descriptors[1 + 2 * index].revents != 0 || descriptors[2 + 2 * index].revents != 0 ? numbers[index] : nil
        }
        return descriptors[0].revents != 0
    }

    /// Forgets everything when the clock was set, and when a domain is validated again.
    mutating func watchClock() {
        let now = self.now()
        let configuration = self.program.configuration.text(at: now)
        let isOutdated = exchange(&self.configuration, with: configuration) != configuration
        if let step = self.watch.step(now, .now) {
            self.logger.warning(
                "the clock was set; what was known is looked up anew", metadata: ["reason": "by \(step)"])
            self.perform(self.supervision.reset("the clock was set", at: .now))
        } else if isOutdated {
            self.logger.notice("a domain is validated again; what was known is looked up anew")
            self.perform(self.supervision.renew(at: .now))
        }
    }

    mutating func ask(
        _ question: LookupQuestion, _ deadline: ContinuousClock.Instant,
        _ done: @escaping @Sendable (QueryOutcome) -> Void
    ) {
        let number = self.nextNumber
        self.nextNumber += 1
        self.waiting[number] = done
        self.perform(self.supervision.asked(number, question, deadline: deadline, at: .now))
    }

    /// Has other children, made of this, from now on.
    mutating func replace(_ program: ResolverProgram) {
        self.program = program
        self.configuration = program.configuration.text(at: self.now())
        self.perform(self.supervision.renew(at: .now))
    }

    /// Reads what children have said, and looks after them when it is time.
    mutating func turn() {
        for number in exchange(&self.readable, with: []) { self.read(number) }
        let now = ContinuousClock.now
        if now >= self.nextTick {
            self.perform(self.supervision.tick(self.children.mapValues(\.usage), at: now))
        }
        self.nextTick = min(max(self.nextTick, now), now + self.supervision.nextTick(after: now))
        if self.nextTick <= now { self.nextTick = now + self.supervision.nextTick(after: now) }
    }

    /// Answers all who wait, and ends all children.
    mutating func end(_ reason: String) { self.perform(self.supervision.endAll(reason)) }

    private mutating func read(_ number: Int) {
        guard let child = self.children[number] else { return }
        self.log(child.readErrors(at: .now))
        guard child.flush() else { return self.died(number, child) }
        while self.children[number] != nil {
            switch child.socket.receive() {
            case .nothing: return
            case .broken: return self.died(number, child)
            case .message(let bytes):
                guard let report = ResolverMessage.report(bytes) else {
                    return self.perform(self.supervision.died(number, .malformed, .now))
                }
                self.perform(self.supervision.heard(number, report, at: .now))
            }
        }
    }

    private mutating func died(_ number: Int, _ child: ResolverProcess) {
        self.log(child.readErrors(at: .now))
        self.perform(self.supervision.died(number, child.death() ?? .malformed, .now))
    }

    private func log(_ lines: [String]) {
        for line in lines { self.logger.warning("the resolver says", metadata: ["reason": "\(line)"]) }
    }

    // MARK: Actions

    private mutating func perform(_ actions: [ResolverSupervision.Action]) {
        for action in actions {
            switch action {
            case .start(let number): self.start(number)
            case .send(let number, let request): self.children[number]?.send(request)
            case .end(let number): self.children.removeValue(forKey: number)?.end()
            case .finish(let number, let outcome): self.waiting.removeValue(forKey: number)?(outcome)
            case .log(let event): self.log(event)
            }
        }
    }

    private mutating func start(_ number: Int) {
        do throws(SecureResolverError) {
            self.children[number] = try ResolverProcess(self.program, configuration: self.configuration, at: .now)
        } catch {
            self.perform(self.supervision.died(number, .refused("\(error)"), .now))
        }
    }

    private func log(_ event: ResolverSupervision.Event) {
        switch event {
        case .replaced(let death, let questions):
            self.logger.error(
                "a resolver is replaced", metadata: ["reason": "\(death)", "count": "\(questions)"])
        case .cannotStart(let reason):
            self.logger.error("a resolver does not start", metadata: ["reason": "\(reason)"])
        case .quarantined(let question, let time, let death):
            self.logger.error(
                "a name is not looked up for a while, since its answers end resolvers",
                metadata: [
                    "name": "\(question.name)", "type": "\(question.type)", "reason": "\(death)",
                    "duration_ms": .stringConvertible(time.components.seconds * 1_000),
                ])
        case .suspected(let name, let time):
            self.logger.warning(
                "a name is looked up in a resolver of its own, since several died with questions for it",
                metadata: ["name": "\(name)", "duration_ms": .stringConvertible(time.components.seconds * 1_000)])
        }
    }
}

extension Duration {
    /// What is left beyond whole seconds.
    fileprivate var milliseconds: Int64 { self.components.attoseconds / 1_000_000_000_000_000 }
}
