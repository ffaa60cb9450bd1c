public import MailModel
import Synchronization

/// A clock that stands still until a test moves it: whoever sleeps on it is woken in the order of their times.
public final class ManualClock: NodeClock {
    private struct Sleeper {
        let until: MonotonicInstant
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var passed = Duration.zero
        var sleepers: [UInt64: Sleeper] = [:]
        var nextID: UInt64 = 0
        /// Cancelled before they slept.
        var cancelled: Set<UInt64> = []
        /// Who waits for so many to sleep.
        var observers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

        mutating func observed() -> [CheckedContinuation<Void, Never>] {
            let count = self.sleepers.count
            defer { self.observers.removeAll { $0.count <= count } }
            return self.observers.filter { $0.count <= count }.map(\.continuation)
        }
    }

    private let start: MonotonicInstant
    private let startDate: Timestamp
    private let state = Mutex(State())

    /// A clock that shows this.
    public init(
        _ start: MonotonicInstant = MonotonicInstant(nanoseconds: 1_000_000_000),
        date: Timestamp = Timestamp(seconds: 1_700_000_000)
    ) {
        self.start = start
        self.startDate = date
    }

    public var now: MonotonicInstant { self.start + self.state.withLock(\.passed) }

    public var date: Timestamp { self.startDate + self.state.withLock(\.passed) }

    /// So much time passes.
    public func advance(by duration: Duration) {
        let woken = self.state.withLock { state in
            state.passed += duration
            let now = self.start + state.passed
            let due = state.sleepers.filter { $0.value.until <= now }.sorted {
                ($0.value.until, $0.key) < ($1.value.until, $1.key)
            }
            for (id, _) in due { state.sleepers[id] = nil }
            return due.map(\.value.continuation)
        }
        for continuation in woken { continuation.resume(returning: true) }
    }

    /// Waits until so many sleep on it.
    public func waitForSleepers(_ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = self.state.withLock { state in
                guard state.sleepers.count < count else { return true }
                state.observers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    public func sleep(for duration: Duration) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let isOver = await withTaskCancellationHandler {
            await withCheckedContinuation { self.append(id, for: duration, $0) }
        } onCancel: {
            let sleeper = self.state.withLock { state in
                let sleeper = state.sleepers.removeValue(forKey: id)
                if sleeper == nil { state.cancelled.insert(id) }
                return sleeper
            }
            sleeper?.continuation.resume(returning: false)
        }
        // A cancellation that came when it was awake already is of no interest any more.
        self.state.withLock { _ = $0.cancelled.remove(id) }
        guard isOver else { throw CancellationError() }
    }

    private func append(_ id: UInt64, for duration: Duration, _ continuation: CheckedContinuation<Bool, Never>) {
        let (answer, observers) = self.state.withLock { state -> (Bool?, [CheckedContinuation<Void, Never>]) in
            if state.cancelled.remove(id) != nil { return (false, []) }
            guard duration > .zero else { return (true, []) }
            state.sleepers[id] = Sleeper(until: self.start + state.passed + duration, continuation: continuation)
            return (nil, state.observed())
        }
        if let answer { continuation.resume(returning: answer) }
        for observer in observers { observer.resume() }
    }
}
