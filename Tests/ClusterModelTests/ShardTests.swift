import ClusterModel
import MailModel
import TestLiterals
import Testing

@Suite("Sharding (DESIGN §4)")
struct ShardTests {
    @Test("The number of shards is a power of two", arguments: [0, 3, 65, -64, 8192])
    func count(_ count: Int) { #expect(ShardMap(count: count) == nil) }

    @Test("A stored shard is found again by every version: the hash never changes")
    func stable() throws {
        let map = try #require(ShardMap())
        let id = MessageID(high: 1, low: 2)
        // These numbers were computed apart from the program; entries in databases depend on them.
        #expect(map.shard(for: "bravo.test", message: id).rawValue == 54)
        #expect(map.shard(for: "example.org", message: id).rawValue == 18)
    }

    @Test("A domain of fanout 1 has one shard for all of its mail")
    func fanoutOne() throws {
        let map = try #require(ShardMap())
        let domain: DomainName = "bravo.test"
        let shards = Set((0..<100).map { map.shard(for: domain, message: MessageID(high: $0, low: 7)) })
        #expect(shards.count == 1)
    }

    @Test("A hot domain is spread over at most its fanout, and over more than one shard")
    func fanout() throws {
        let domain: DomainName = "bravo.test"
        let map = try #require(ShardMap(fanout: [domain: 8]))
        let shards = Set((0..<1000).map { map.shard(for: domain, message: MessageID(high: $0, low: $0 &* 31)) })
        #expect((5...8).contains(shards.count))
    }

    @Test("Many domains fill all shards about evenly")
    func spread() throws {
        let map = try #require(ShardMap())
        var counts: [Shard: Int] = [:]
        for number in 0..<6400 {
            counts[map.shard(for: "d\(number).test", message: MessageID(high: 0, low: 0)), default: 0] += 1
        }
        #expect(counts.count == 64)
        #expect(counts.values.allSatisfy { (50...170).contains($0) })
    }
}
