package import DNSModel
package import Logging
package import MailModel
package import QueueStore
package import SecureResolver
import ServiceSupport
import Telemetry

/// Reads what operators want looked up anew (`relayctl dns flush`, `relayctl queue retry`, SIGHUP), and has the resolver do so.
///
/// It looks once a second, and before entries are tried that a retry may have made due.
package actor DNSFlushWatch {
    private static let interval = Duration.seconds(1)
    /// Rows are kept for an hour; whoever could not look for so long cannot know what was wanted.
    private static let longestGap = Duration.seconds(1_800)

    private let store: QueueStore
    private let resolver: SecureResolver
    private let logger: Logger
    private let questions: @Sendable (DomainName) -> Set<DNSQuestion>?
    private var serial: Int64?
    private let time: any NodeClock
    private var lastLook: MonotonicInstant
    private var wanted: OperatorFlushes
    private var isClosed = false
    /// One waiting request says all that more could say.
    private let (requests, request) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameter questions: all that leads to the hosts of a domain of recipients, as far as the cache knows it. It
    ///   is `nil` where that needs no DNS.
    package init(
        store: QueueStore, resolver: SecureResolver, time: any NodeClock, logger: Logger,
        questions: @escaping @Sendable (DomainName) -> Set<DNSQuestion>?
    ) {
        self.store = store
        self.resolver = resolver
        self.time = time
        self.lastLook = time.now
        self.wanted = OperatorFlushes(at: time.now)
        self.logger = logger
        self.questions = questions
    }

    /// Looks now and then, and when somebody asks, until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    self.request.yield()
                    try? await self.time.sleep(for: Self.interval)
                }
            }
            for await _ in self.requests { await self.look() }
        }
        self.isClosed = true
        self.resume(exchange(&self.waiting, with: []))
    }

    /// Waits until all up to this number has been read; and done, where the budget allows.
    func caughtUp(with serial: Int64) async {
        guard serial != self.serial, !self.isClosed else { return }
        self.request.yield()
        await withCheckedContinuation { self.waiting.append($0) }
    }

    /// All is to be looked up anew.
    package func flushEverything() {
        self.wanted.add(.everything)
        self.apply()
    }

    private func look() async {
        let waiters = exchange(&self.waiting, with: [])
        do throws(QueueStoreError) {
            let new = try await self.store.dnsFlushes(since: self.serial)
            self.serial = new.serial
            for flush in new.flushes { self.add(flush) }
            if self.time.now - self.lastLook > Self.longestGap { self.wanted.add(.everything) }
            self.lastLook = self.time.now
        } catch {
            // Whoever waits goes on with what is known. The next look finds it.
            self.logger.debug("requests to flush DNS answers were not read", metadata: ["error": "\(error)"])
        }
        self.apply()
        self.resume(waiters)
    }

    private func add(_ flush: DNSFlush) {
        var outdated = OutdatedAnswers()
        switch flush {
        case .name(let name): outdated.insert(name, isZone: false)
        case .zone(let name): outdated.insert(name, isZone: true)
        case .everything: outdated = .everything
        case .route(let domain):
            if self.questions(domain) != nil { self.wanted.add(routeTo: domain) }
            return
        }
        self.wanted.add(outdated)
    }

    private func apply() {
        guard let (wanted, routes) = self.wanted.take(at: self.time.now) else { return }
        var outdated = wanted
        for domain in routes { outdated.insert(self.questions(domain) ?? []) }
        self.resolver.forget(outdated)
        self.logger.notice(
            "answers of the DNS are looked up anew",
            metadata: [
                LogKey.event: "\(LogEventName.admin.rawValue)",
                LogKey.reason: "an operator wants \(outdated.isEverything ? "all of them" : outdated.text(routes))",
            ])
    }

    private func resume(_ waiters: [CheckedContinuation<Void, Never>]) { for waiter in waiters { waiter.resume() } }
}

extension OutdatedAnswers {
    /// A few of the names in question.
    fileprivate func text(_ routes: Set<DomainName>) -> String {
        let names = self.names.union(self.zones).union(routes.map { $0.text[...] }).sorted()
        return names.prefix(10).joined(separator: " ") + (names.count > 10 ? " and \(names.count - 10) more" : "")
    }
}
