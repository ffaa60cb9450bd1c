import ClusterModel
import MailModel
import QueueStore
import Testing

@testable import Delivery

@Suite("When the owner looks for work")
struct LookPlanTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func terms(_ shards: Int16...) -> [ShardTerm] {
        shards.map { ShardTerm(shard: Shard(rawValue: $0), epoch: Epoch(rawValue: 1)) }
    }

    @Test("Shards that are new are walked through at once; then a walk comes every five seconds")
    func small() {
        var plan = LookPlan()
        plan.begin(self.terms(1, 2), at: self.start)
        #expect(plan.isPageDue(at: self.start))
        plan.pageEnded(.read(nil), after: .milliseconds(2), at: self.start)
        #expect(plan.pause == LookPlan.interval)
        for second in 1..<5 {
            plan.begin(self.terms(1, 2), at: self.start + .seconds(second))
            #expect(!plan.isPageDue(at: self.start + .seconds(second)))
        }
        plan.begin(self.terms(1, 2), at: self.start + .seconds(5))
        #expect(plan.isPageDue(at: self.start + .seconds(5)))
    }

    @Test("hostile-input 35: a walk that takes long takes no more than a twentieth of the time")
    func large() {
        var plan = LookPlan()
        plan.begin(self.terms(1), at: self.start)
        plan.pageEnded(.read(nil), after: .seconds(2), at: self.start + .seconds(2))
        let next = self.start + .seconds(40)
        plan.begin(self.terms(1), at: self.start + .seconds(39))
        #expect(!plan.isPageDue(at: self.start + .seconds(39)))
        plan.begin(self.terms(1), at: next)
        #expect(plan.isPageDue(at: next))
    }

    @Test("A walk a minute visits suspended domains too, and the first after a change of rules")
    func settling() {
        var plan = LookPlan()
        var settled: [Int] = []
        for second in 0..<130 {
            if second == 70 { plan.forget() }
            let now = self.start + .seconds(second)
            plan.begin(self.terms(1), at: now)
            guard plan.isPageDue(at: now) else { continue }
            if plan.isSettling { settled.append(second) }
            plan.pageEnded(.read(nil), after: .milliseconds(1), at: now)
        }
        #expect(settled == [0, 60, 70])
    }

    @Test("A shard that is lost and comes back is walked through again")
    func comesBack() {
        var plan = LookPlan()
        plan.begin(self.terms(1, 2), at: self.start)
        plan.pageEnded(.read(nil), after: .milliseconds(1), at: self.start)
        plan.begin(self.terms(1), at: self.start + .seconds(1))
        #expect(!plan.isPageDue(at: self.start + .seconds(1)))
        plan.begin(self.terms(1, 2), at: self.start + .seconds(2))
        #expect(plan.isPageDue(at: self.start + .seconds(2)))
    }

    @Test("While there is no slot the walk stays where it is, and looks once a second")
    func noSlot() {
        var plan = LookPlan()
        plan.begin(self.terms(1), at: self.start)
        plan.pageEnded(.noSlot, after: .milliseconds(1), at: self.start)
        #expect(plan.pause == LookPlan.interval)
        #expect(plan.isPageDue(at: self.start + .seconds(1)))
    }

    @Test("After a failure nothing is taken for granted")
    func forgets() {
        var plan = LookPlan()
        plan.begin(self.terms(1), at: self.start)
        plan.seen = Timestamp(microseconds: 7)
        plan.pageEnded(.read(nil), after: .milliseconds(1), at: self.start)
        plan.forget()
        plan.begin(self.terms(1), at: self.start + .seconds(1))
        #expect(plan.seen == nil)
        #expect(plan.isPageDue(at: self.start + .seconds(1)))
    }
}
