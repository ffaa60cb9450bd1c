import Testing

@testable import SecureResolver

/// Children that no question ends alone.
@Suite("Names that several resolvers died with")
struct SharedDeathsTests {
    private static let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { Self.start + .seconds(seconds) }

    private func question(_ name: String) -> LookupQuestion { LookupQuestion(name: name, type: 1) }

    private func ready() -> ResolverSupervision {
        var machine = ResolverSupervision(at: Self.start)
        _ = machine.begin(at: Self.start)
        _ = machine.heard(1, .ready("x"), at: Self.start)
        return machine
    }

    /// Asks for these names, ends the main child, and answers each of them where it is asked alone. Gives what was logged.
    private func die(
        _ machine: inout ResolverSupervision, with names: [String], number: inout UInt64,
        at now: ContinuousClock.Instant
    ) -> [ResolverSupervision.Event] {
        let main = machine.mainChild
        var events: [ResolverSupervision.Event] = []
        for name in names {
            number += 1
            _ = machine.asked(number, self.question(name), deadline: now + .seconds(30), at: now)
        }
        var actions = machine.died(main, .signal(11), now)
        while !actions.isEmpty {
            switch actions.removeFirst() {
            case .start(let child): actions += machine.heard(child, .ready("x"), at: now)
            case .send(let child, .question(let number, _, _)):
                actions += machine.heard(
                    child, .answer(number, RawAnswer(rcode: 0, isSecure: true, packet: [])), at: now)
            case .log(let event): events.append(event)
            default: ()
            }
        }
        return events
    }

    @Test("Two questions that end a child only together are told apart from the third death on (field 0)")
    func pair() {
        var (machine, number) = (self.ready(), UInt64(0))
        var events: [ResolverSupervision.Event] = []
        for round in 0..<3 {
            let names = ["a\(round).evil.test", "b\(round).evil.test", "good\(round).test"]
            events = self.die(&machine, with: names, number: &number, at: self.at(Double(round)))
            #expect(machine.questionsUnderWay == 0, "each was answered")
        }
        #expect(events.contains(.suspected("evil.test", .seconds(3600))), "\(events)")
        #expect(machine.counters.quarantines == 0)
        let main = machine.mainChild
        for name in ["c.evil.test", "evil.test"] {
            number += 1
            let actions = machine.asked(number, self.question(name), deadline: self.at(40), at: self.at(10))
            #expect(!actions.contains(.send(main, .question(number, name: name, type: 1))), "\(actions)")
        }
        let other = machine.asked(100, self.question("good0.test"), deadline: self.at(40), at: self.at(10))
        #expect(other == [.send(main, .question(100, name: "good0.test", type: 1))])
    }

    @Test("An hour after the last of its deaths a name is asked for like others again (field 0)")
    func expiry() {
        var deaths = SharedDeaths(ResolverLimits())
        let evil = self.question("a.evil.test")
        for second in 0..<3 { _ = deaths.died(with: [evil], at: self.at(Double(second))) }
        #expect(deaths.suspects(evil, at: self.at(3601)))
        #expect(!deaths.suspects(evil, at: self.at(3602)))
        #expect(deaths.died(with: [evil], at: self.at(3603)) == [], "it is counted anew")
    }

    @Test("A name of one label is never suspected, nor one that two children died with (field 0)")
    func fewDeaths() {
        var deaths = SharedDeaths(ResolverLimits())
        for second in 0..<9 {
            #expect(deaths.died(with: [self.question("n\(second).test")], at: self.at(Double(second))) == [])
        }
        _ = deaths.died(with: [self.question("n0.test")], at: self.at(10))
        for name in ["test", "", "n0.test", "other.test"] {
            #expect(!deaths.suspects(self.question(name), at: self.at(11)), "\(name)")
        }
    }

    @Test("Names that one child died with give way, and no more are remembered than may be (field 0)")
    func bound() {
        var limits = ResolverLimits()
        limits.suspectedNames = 100
        var deaths = SharedDeaths(limits)
        let evil = self.question("a.evil.test")
        for second in 0..<50 {
            let others = (0..<40).map { self.question("n\(second)x\($0).test") }
            _ = deaths.died(with: others + [evil], at: self.at(Double(second)))
            #expect(deaths.count <= 100)
        }
        #expect(deaths.suspects(evil, at: self.at(50)))
    }
}
