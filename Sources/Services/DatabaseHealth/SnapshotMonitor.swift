package import Logging
package import MailModel
import OperatingSystem
package import QueueStore
import ServiceLifecycle
import Telemetry

/// Says who is to blame when removed rows cannot be cleared away: each claim then passes them again and again, and the
/// tables grow. That is a transaction that somebody left open, a prepared one that was forgotten, or the slot of a
/// standby that is gone.
package struct SnapshotMonitor: Service {
    private static let interval = Duration.seconds(15)

    package let store: QueueStore
    /// The age from which on it is told.
    package let limit: Duration
    package let metrics: DatabaseMetrics
    package let time: any NodeClock
    package let logger: Logger

    package init(store: QueueStore, limit: Duration, metrics: DatabaseMetrics, time: any NodeClock, logger: Logger) {
        self.store = store
        self.limit = limit
        self.metrics = metrics
        self.time = time
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var watch = SnapshotWatch(limit: self.limit)
            while !Task.isCancelled {
                await self.look(&watch)
                try? await self.time.sleep(for: Self.interval)
            }
        }
    }

    private func look(_ watch: inout SnapshotWatch) async {
        do throws(QueueStoreError) {
            let view = try await self.store.oldestSnapshot()
            let news = watch.observed(view, at: self.time.now)
            self.metrics.pgOldestSnapshotSeconds.set(Int(watch.age / .seconds(1)))
            self.tell(news)
        } catch {
            self.logger.warning("cannot see who holds old snapshots", metadata: ["error": "\(error)"])
        }
    }

    private func tell(_ news: SnapshotWatch.News?) {
        switch news {
        case .tooOld(let snapshot, let age):
            self.logger.warning(
                "an old snapshot keeps removed rows from being cleared away: the queue slows down and grows until it ends",
                metadata: [
                    "holder": "\(snapshot.kind.rawValue): \(snapshot.holder)", "age": "\(Int(age / .seconds(1)))s",
                ])
        case .over: self.logger.notice("the old snapshot has ended")
        case .hidden:
            self.logger.warning(
                "old snapshots would not be seen: the schema's owner may not see other sessions (pg_read_all_stats)")
        case nil: ()
        }
    }
}

/// How long the oldest snapshot has been the same, and what is to be told of it.
struct SnapshotWatch {
    enum News: Hashable {
        /// It has become too old, or is so still after a while.
        case tooOld(OldestSnapshot, Duration)
        /// The one that was told of has ended.
        case over
        /// Nothing can be seen.
        case hidden
    }

    /// How often one that stays is told of again.
    static let repetition = Duration.seconds(600)

    private let limit: Duration
    private var horizon: (text: String, since: MonotonicInstant)?
    private var toldAt: MonotonicInstant?
    private var toldHidden = false
    /// The age of the oldest one; zero if there is none.
    private(set) var age = Duration.zero

    init(limit: Duration) { self.limit = limit }

    mutating func observed(_ view: SnapshotView, at now: MonotonicInstant) -> News? {
        guard case .oldest(let snapshot) = view else { return self.nothing(isHidden: view == .hidden) }
        let since = self.horizon.flatMap { $0.text == snapshot.horizon ? $0.since : nil } ?? now
        self.horizon = (snapshot.horizon, since)
        // Of a slot or a standby only we know for how long it has stood still.
        self.age = max(now - since, snapshot.age ?? .zero)
        guard self.age >= self.limit else { return self.ended() }
        if let toldAt = self.toldAt, now - toldAt < Self.repetition { return nil }
        self.toldAt = now
        return .tooOld(snapshot, self.age)
    }

    private mutating func nothing(isHidden: Bool) -> News? {
        self.horizon = nil
        self.age = .zero
        if isHidden, !self.toldHidden {
            self.toldHidden = true
            return .hidden
        }
        return self.ended()
    }

    private mutating func ended() -> News? {
        guard self.toldAt != nil else { return nil }
        self.toldAt = nil
        return .over
    }
}
