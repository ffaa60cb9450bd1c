import MailModel
import Testing

@testable import Admission

@Suite("Refusal budget")
struct RefusalBudgetTests {
    private let start = MonotonicInstant(nanoseconds: 1)

    @Test("One client's refusals leave the lines of others; all together have a limit, and the next window is new")
    func budget() {
        var budget = RefusalBudget()
        let stranger = IPAddress.v4(1)
        let told = (0..<100).count { _ in budget.refused(stranger, at: self.start).isTold }
        #expect(told == RefusalBudget.linesPerClient)
        var all = told
        for address in 2..<UInt32(1000) where budget.refused(.v4(address), at: self.start).isTold { all += 1 }
        #expect(all == RefusalBudget.lines)
        let later = self.start + RefusalBudget.window
        #expect(!budget.refused(.v4(5000), at: later - .nanoseconds(1)).isTold)
        let untold = 100 + 998 - RefusalBudget.lines + 1
        #expect(budget.refused(stranger, at: later) == .init(isTold: true, untoldBefore: untold))
        #expect(budget.refused(stranger, at: later) == .init(isTold: true))
    }
}
