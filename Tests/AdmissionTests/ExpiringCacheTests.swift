import MailModel
import Testing

@testable import Admission

@Suite("A cache whose entries expire")
struct ExpiringCacheTests {
    private let start = MonotonicInstant(nanoseconds: 1)

    private func expect<Value: Equatable>(
        _ actual: Value, _ wanted: Value, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(actual == wanted, sourceLocation: sourceLocation)
    }

    @Test("A full cache forgets what was used longest ago")
    func leastRecentlyUsed() {
        var cache = ExpiringCache<String, Int>(maximumEntries: 2)
        let end = self.start + .seconds(10)
        cache.store(1, of: "one", until: end)
        cache.store(2, of: "two", until: end)
        self.expect(cache.value(of: "one", at: self.start), 1)
        cache.store(3, of: "three", until: end)
        self.expect(cache.value(of: "two", at: self.start), nil)
        self.expect(cache.value(of: "one", at: self.start), 1)
        self.expect(cache.value(of: "three", at: self.start), 3)
        #expect(cache.count == 2)
    }

    @Test("Its memory stays bounded however often it is used, and without capacity it keeps nothing")
    func bounded() {
        var cache = ExpiringCache<Int, Int>(maximumEntries: 10)
        for number in 0..<10_000 {
            cache.store(number, of: number % 37, until: self.start + .seconds(10))
            _ = cache.value(of: number % 11, at: self.start)
        }
        #expect(cache.count <= 10)
        var none = ExpiringCache<Int, Int>(maximumEntries: 0)
        none.store(1, of: 1, until: self.start + .seconds(10))
        self.expect(none.value(of: 1, at: self.start), nil)
    }
}
