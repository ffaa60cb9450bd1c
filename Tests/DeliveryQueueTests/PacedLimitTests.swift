import MailModel
import Testing

@testable import DeliveryQueue

@Suite("A limit of which half is taken one by one")
struct PacedLimitTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    @Test("Half may be taken at once, and each of the rest a pause after the one before")
    func pace() {
        var limit = PacedLimit(10, stay: .seconds(10))
        var taken: [Int] = []
        for second in 0..<20 {
            while limit.allows(at: Self.start + .seconds(second)) {
                limit.take(at: Self.start + .seconds(second))
                taken.append(second)
            }
        }
        #expect(taken == [0, 0, 0, 0, 0, 0, 2, 4, 6, 8])
        limit.giveBack()
        #expect(limit.allows(at: Self.start + .seconds(20)))
    }

    @Test("A limit of one is one")
    func one() {
        var limit = PacedLimit(1, stay: .seconds(10))
        limit.take(at: Self.start)
        #expect(!limit.allows(at: Self.start + .seconds(100)))
    }
}
