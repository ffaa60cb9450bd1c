import ClusterModel
import LabSupport
import MailModel
import QueueStore

/// What a node does with its queue, each thing several times.
struct QueueMeasurement {
    let world: QueueWorld

    private var store: QueueStore { self.world.store }

    /// The rows of a column: what was done, and its times.
    func run() async throws -> [(String, String)] {
        var rows: [(String, String)] = []
        rows += try await self.polls()
        rows += try await self.claims()
        rows.append(try await self.outcomes("removed", { _ in .removed }))
        let now = try await self.store.databaseTime()
        rows.append(try await self.outcomes("to be tried again soon", { Self.retry($0, at: now + .seconds(900)) }))
        rows.append(try await self.outcomes("to be tried again late", { Self.retry($0, at: now + .seconds(7200)) }))
        rows.append(try await self.promotions())
        rows.append(try await self.arrivals())
        rows += try await self.views()
        return rows
    }

    private func polls() async throws -> [(String, String)] {
        let terms = self.world.allTerms
        let one = Array(terms.prefix(1))
        let moment = try await self.store.databaseTime()
        let lately = try await self.repeated(50) { _ in _ = try await self.store.latelyDue(terms, since: moment) }
        let page = try await self.repeated(10) { _ in _ = try await self.store.dueDestinations(terms) }
        let whole = try await self.repeated(2) { _ in
            var cursor: DueCursor?
            repeat {
                cursor = try await self.store.dueDestinations(terms, after: cursor).cursor
            } while cursor != nil
        }
        let shard = try await self.repeated(10) { _ in _ = try await self.store.dueDestinations(one) }
        return [
            ("what became due lately, all shards", lately.text), ("walk: one page", page.text),
            ("walk: all destinations", whole.text), ("walk: one shard", shard.text),
        ]
    }

    private func claims() async throws -> [(String, String)] {
        let common = try await self.repeated(200) { _ in _ = try await self.claim(self.anyDomain()) }
        let dead = try self.world.deadDomain()
        let long = try await self.repeated(50) { _ in _ = try await self.claim(dead) }
        return [("claim of 40, any domain", common.text), ("claim of 40, the dead domain", long.text)]
    }

    private func anyDomain() throws -> DomainName {
        guard let name = self.world.names.randomElement() else { throw LabFailure("no domains") }
        return name
    }

    private func claim(_ name: DomainName, count: Int = 40) async throws -> [QueueEntry] {
        try await self.store.claim(try self.world.term(of: name), destination: name, maximumCount: count).entries
    }

    /// Three entries whose attempts are opened and recorded together, ten times over.
    private func outcomes(
        _ name: String, _ result: (QueueEntry) -> RecordedOutcome.Result
    ) async throws -> (String, String) {
        var opening = Timings()
        var recording = Timings()
        for _ in 0..<10 {
            // Those of the dead domain are the only ones of which there are so many at every size.
            let term = try self.world.term(of: try self.world.deadDomain())
            let entries = try await self.claim(try self.world.deadDomain(), count: 3)
            let opened = try await opening.measure {
                try await self.store.openAttempts(entries.map { ($0, term.epoch) })
            }
            guard opened.count == entries.count else { throw LabFailure("an attempt cannot be opened") }
            let outcomes = entries.map { entry in
                RecordedOutcome(
                    entry: entry, epoch: term.epoch, result: result(entry),
                    events: [
                        TraceEvent(
                            .send, node: "bench", message: entry.key.message, domain: entry.key.domain,
                            recipients: "bob", attempt: entry.attempts + 1)
                    ])
            }
            for result in await recording.measure({ await self.store.recordOutcomes(outcomes) }) { try result.get() }
        }
        return ("3 attempts opened; \(name)", "\(opening.quantile(0.5)); \(recording.text)")
    }

    private static func retry(_ entry: QueueEntry, at time: Timestamp) -> RecordedOutcome.Result {
        .retry(
            at: time, recipients: entry.recipients,
            because: DeliveryFailure(
                failureClass: .general, status: EnhancedStatusCode(.persistentTransientFailure, 4, 1),
                reason: .connectionTimeout, text: "no answer", host: "mx.dead.test"), isDelayNotified: false)
    }

    private func promotions() async throws -> (String, String) {
        let terms = self.world.allTerms
        let times = try await self.repeated(10) { index in
            _ = try await self.store.promoteDeferred(terms[index % terms.count], within: .seconds(4000), limit: 1000)
        }
        return ("deferred brought back, up to 1000", times.text)
    }

    /// Twenty clients at once, each with twenty messages.
    private func arrivals() async throws -> (String, String) {
        let times = try await withThrowingTaskGroup(of: [Duration].self) { clients in
            for _ in 0..<20 { clients.addTask { try await self.client() } }
            return try await clients.reduce(into: Timings()) { times, own in own.forEach { times.add($0) } }
        }
        return ("one message stored, 20 clients", times.text)
    }

    private func client() async throws -> [Duration] {
        var times: [Duration] = []
        for _ in 0..<20 {
            let name = try self.anyDomain()
            let message = AcceptedMessage(
                id: MessageID(at: Timestamp(seconds: 1_800_000_000), random: .random(in: .min ... .max)),
                sender: "alice@alpha.test",
                entries: [AcceptedEntry(domain: name, recipients: [QueueRecipient(address: "bob@\(name)")])],
                body: .inline([UInt8](repeating: 0x78, count: 1024)))
            let start = ContinuousClock.now
            try await self.world.writer.enqueue(message)
            times.append(ContinuousClock.now - start)
        }
        return times
    }

    private func views() async throws -> [(String, String)] {
        let summary = try await self.repeated(50) { _ in _ = try await self.store.summary() }
        let operators = self.world.operators
        let oldest = try await self.repeated(5) { _ in _ = try await operators.overview() }
        let list = try await self.repeated(5) { _ in
            _ = try await operators.page(of: QueueSelection(), span: 100, isDetailed: true)
        }
        var selection = QueueSelection()
        selection.domains = [try self.anyDomain()]
        let search = try await self.repeated(2) { [selection] _ in _ = try await operators.count(.hold, selection) }
        return [
            ("summary", summary.text), ("summary and the oldest of each state", oldest.text),
            ("list of 100", list.text),
            ("search for one domain", search.text),
        ]
    }

    private func repeated(_ count: Int, _ body: (Int) async throws -> Void) async throws -> Timings {
        var times = Timings()
        for index in 0..<count { try await times.measure { try await body(index) } }
        return times
    }
}
