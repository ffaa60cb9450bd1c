import ClusterModel
import MailModel
import OrderedCollections
import Testing

@testable import Delivery
@testable import QueueStore

@Suite("Hints of new mail")
struct DueHintsTests {
    private func entries(shards: Int, domains: Int, messages: Int) -> [DueEntry] {
        (0..<messages).map { number in
            let domain = DomainName("d\(number % domains).test")
            return DueEntry(shard: Shard(rawValue: Int16(number % shards)), destination: domain)
        }
    }

    @Test("Whatever has come since is one step for each shard, and names each destination once")
    func together() throws {
        let hints = DueHints()
        let commit = self.entries(shards: 4, domains: 32, messages: 256)
        for _ in 0..<3 { hints.add(commit) }
        let taken = hints.take()
        #expect(taken.count == 4)
        #expect(taken.values.map(\.count) == [8, 8, 8, 8])
        #expect(taken.values.allSatisfy { $0.first.map { entry in commit.contains(entry) } ?? false })
        #expect(hints.take().isEmpty)
    }

    @Test("No more wait than may, and there is capacity again when they are taken")
    func limit() throws {
        let hints = DueHints(limit: 10)
        hints.add(self.entries(shards: 1, domains: 32, messages: 32))
        #expect(hints.take().values.map(\.count) == [10])
        hints.add(self.entries(shards: 1, domains: 32, messages: 5))
        #expect(hints.take().values.map(\.count) == [5])
    }

    @Test("Who follows is told of what came before, and of what comes")
    func signals() async throws {
        let hints = DueHints()
        let commit = self.entries(shards: 2, domains: 2, messages: 2)
        for _ in 0..<100 { hints.add(commit) }
        var taken = 0
        for await _ in hints.signals {
            let now = hints.take().values.reduce(0) { $0 + $1.count }
            #expect(now == 2, "a hundred commits, one signal")
            taken += now
            if taken == 4 { break }
            hints.add(commit)
        }
        #expect(taken == 4)
    }
}
