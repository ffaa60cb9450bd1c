import Testing

@testable import MailModel

@Suite("The order in which caches forget")
struct AgeOrderTests {
    @Test("The key goes first that was named longest ago, and one that was forgotten does not come again")
    func oldestFirst() {
        var order = AgeOrder<String>()
        for key in ["a", "b", "c", "a", "d"] { order.touch(key) }
        order.remove("c")
        #expect((0..<4).map { _ in order.takeOldest() } == ["b", "a", "d", nil])
    }

    @Test("However often a few keys are named, the order is kept")
    func manyTouches() {
        var order = AgeOrder<Int>()
        for number in 0..<100_000 { order.touch(number % 3) }
        // The last three were 99_997, 99_998 and 99_999.
        #expect((0..<4).map { _ in order.takeOldest() } == [1, 2, 0, nil])
    }
}
