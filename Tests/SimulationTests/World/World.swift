import LabSupport
import MailModel

/// Time and chance of one simulated run. Nothing in a run looks at another clock or draws from another source, so a seed
/// says all that will happen.
final class World {
    /// True time; no node has it.
    private(set) var now = MonotonicInstant(nanoseconds: 0)
    private var random: SplitMix
    private var events = EventHeap()
    private var clocks: SplitMix
    private var steps = 0
    /// Processes that have steps to take.
    private var ready: [SimulatedProcess] = []
    private let isJournalling: Bool
    private(set) var journal: [String] = []
    /// The first promise that was broken.
    private(set) var violation: String?

    /// What happens in a world that does not come to rest.
    private static let mostSteps = 1_000_000

    /// - Parameters:
    ///   - clocks: another seed, of what the nodes' own clocks show: nothing may depend on that.
    ///   - isJournalling: whether to write down what happens, which takes several times as long.
    init(seed: UInt64, clocks: UInt64, isJournalling: Bool) {
        self.random = SplitMix(seed: seed)
        self.clocks = SplitMix(seed: clocks)
        self.isJournalling = isJournalling
    }

    // MARK: - Time

    /// Has something happen so much later.
    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        self.events.insert(at: self.now + max(delay, .zero), action)
    }

    /// Lets time pass until `isOver`, until nothing happens any more, or until `end`; a broken promise ends it at once.
    func run(until end: MonotonicInstant, isOver: () -> Bool = { false }) {
        while self.violation == nil, let next = self.events.next, next <= end, !isOver() {
            guard let event = self.events.removeFirst() else { return }
            self.now = event.at
            self.steps += 1
            if self.steps > Self.mostSteps { return self.violate("the world does not come to rest") }
            event.action()
            self.settle()
        }
        if self.violation == nil, !isOver() { self.now = max(self.now, end) }
    }

    /// A process has steps to take.
    func isReady(_ process: SimulatedProcess) { self.ready.append(process) }

    /// Lets processes take the steps that they can take at this moment.
    func settle() {
        while !self.ready.isEmpty { self.ready.removeFirst().run() }
    }

    /// How far a node's clock is from true time.
    func clockOffset() -> Duration { self.clocks.duration(.zero ... .seconds(1_000_000)) }

    /// Nothing more happens.
    func end() { self.events = EventHeap() }

    // MARK: - Chance

    /// Happens so often in a hundred times.
    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self.random) < percent }

    func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self.random) }

    /// An identity that was made at this time.
    func messageID(at time: Timestamp) -> MessageID {
        MessageID(at: time, random: .random(in: .min ... .max, using: &self.random))
    }

    /// 64 random bits.
    func bits() -> UInt64 { self.random.next() }

    func shuffled<Value>(_ values: [Value]) -> [Value] { values.shuffled(using: &self.random) }

    func pick<Value>(_ values: [Value]) -> Value { values[self.int(0...values.count - 1)] }

    /// A duration between these.
    func duration(_ range: ClosedRange<Duration>) -> Duration {
        let (low, high) = (range.lowerBound.nanoseconds, range.upperBound.nanoseconds)
        return .nanoseconds(Int64.random(in: low...high, using: &self.random))
    }

    // MARK: - Telling

    func note(_ text: @autoclosure () -> String) {
        guard self.isJournalling else { return }
        self.journal.append("\(self.now.text) \(text())")
    }

    /// A promise was broken.
    func violate(_ text: String) {
        guard self.violation == nil else { return }
        self.violation = text
        self.note("BROKEN: \(text)")
    }
}

extension Duration {
    var nanoseconds: Int64 { self.components.seconds * 1_000_000_000 + self.components.attoseconds / 1_000_000_000 }
}

extension MonotonicInstant {
    /// Seconds, with three digits behind the point.
    fileprivate var text: String {
        let milliseconds = self.nanoseconds / 1_000_000
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        return "\(milliseconds / 1000).\(fraction)"
    }
}
