import ClusterModel
import MailModel
import PostgresDriver
import Testing

@testable import QueueStore

/// The model of the store, against the store.
@Suite("The model of the queue's store answers as PostgreSQL does")
struct ConformanceTests {
    private static let terms = LeaseTerms()

    private static func history(_ seed: UInt64, length: Int = 400, broken: BrokenRule? = nil) throws -> [StoreRecord] {
        let map = try #require(ShardMap(count: 4))
        return RandomHistory(
            seed: seed, length: length, store: ModelStore(map: map, terms: Self.terms, broken: broken)
        ).records
    }

    @Test("Whatever two nodes do, right or wrong, the model and PostgreSQL answer alike", .timeLimit(.minutes(5)))
    func randomHistories() async throws {
        let first = UInt64.random(in: 0 ... .max - 100)
        try await ReplayDatabase.run(shards: 4, terms: Self.terms) { database in
            for seed in first..<first + 3 {
                let history = try Self.history(seed)
                let difference = try await Replay.difference(history, on: database)
                if let difference { Issue.record("random history \(seed):\n\(difference)") }
            }
        }
    }

    @Test("Random histories come to everything that a store may answer")
    func reach() throws {
        var met: Set<String> = []
        for seed in UInt64(1)...20 { met.formUnion(try Self.history(seed).flatMap(Self.marks)) }
        let wanted: Set<String> = [
            "opened", "not opened", "recorded", "stale-epoch", "entry-changed", "duplicate-node", "late", "too late",
            "interrupted", "promoted", "deferred", "second page", "blocked", "test delivery", "overdue", "lately due",
            "due",
            "walk goes on", "silent lease taken", "silent node replaced",
        ]
        #expect(met.isSuperset(of: wanted), "missing: \(wanted.subtracting(met).sorted())")
    }

    private static func marks(_ record: StoreRecord) -> [String] {
        switch (record.transaction, record.answer) {
        case (_, .refused(let code, _)): [code.rawValue]
        case (.acquire(_, let silent), .terms(let terms)):
            terms.contains { silent[$0.shard].map { $0.expiresAt.microseconds > record.at.microseconds } ?? false }
                ? ["silent lease taken"] : []
        case (.register(let silent?), .done): silent.client != record.client ? ["silent node replaced"] : []
        case (_, .opened(let keys)): [keys.isEmpty ? "not opened" : "opened"]
        case (.recordOutcomes, .done): ["recorded"]
        case (_, .late(let isRecorded)): [isRecorded ? "late" : "too late"]
        case (.claim(_, _, let cursor, _), .claimed(let page)):
            (page.entries.contains { $0.interruptedAttempt != nil } ? ["interrupted"] : [])
                + (cursor != nil && !page.entries.isEmpty ? ["second page"] : [])
                + (page.backoff == nil ? [] : [page.isBackoffInForce ? "blocked" : "test delivery"])
        case (.overdue, .claimed(let page)): page.entries.isEmpty ? [] : ["overdue"]
        case (_, .promoted(let count)): count > 0 ? ["promoted"] : []
        case (_, .lately(let due, _)): due.isEmpty ? [] : ["lately due"]
        case (_, .walked(let due, let cursor)):
            (due.isEmpty ? [] : ["due"]) + (cursor == nil ? [] : ["walk goes on"])
        case (_, .survey(let summary, _)): summary[.deferred].entries > 0 ? ["deferred"] : []
        default: []
        }
    }

    @Test(
        "A model that breaks a rule of the store is found out", .timeLimit(.minutes(5)),
        arguments: [
            BrokenRule.noFence, .lateDeliveryUnchecked,
        ])
    func wrongModel(_ rule: BrokenRule) async throws {
        try await ReplayDatabase.run(shards: 4, terms: Self.terms) { database in
            for seed in UInt64(1)...20 {
                let history = try Self.history(seed, broken: rule)
                if try await Replay.difference(history, on: database) != nil { return }
            }
            Issue.record("20 histories of a model with \(rule) are all as PostgreSQL's")
        }
    }
}
