import ClusterModel
import MailModel
import Testing

@Suite("Coalescing of changes")
struct ChangeCoalescingTests {
    private static func at(_ milliseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test("control 8: changes are passed on together, when none has come for 100 ms")
    func quiet() {
        var coalescing = ChangeCoalescing()
        #expect(coalescing.dueAt == nil)
        #expect(coalescing.due(at: Self.at(0)) == false)
        for moment in [0, 60, 120] { coalescing.changed(at: Self.at(Int64(moment))) }
        #expect(coalescing.dueAt == Self.at(220))
        #expect(coalescing.due(at: Self.at(219)) == false)
        #expect(coalescing.due(at: Self.at(220)) == true)
        #expect(coalescing.due(at: Self.at(300)) == false)
        #expect(coalescing.dueAt == nil)
    }

    @Test("control 8: changes that never pause are passed on every 10 s")
    func longest() {
        var coalescing = ChangeCoalescing()
        var passedOn: [Int64] = []
        for moment in stride(from: Int64(0), through: 25_000, by: 50) {
            coalescing.changed(at: Self.at(moment))
            if coalescing.due(at: Self.at(moment)) { passedOn.append(moment) }
        }
        #expect(passedOn == [10_000, 20_050])
    }
}
