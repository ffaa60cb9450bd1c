import Testing

@testable import SecureResolver

/// The machine without processes: what it is told, and what it says is to be done.
@Suite("Which child answers which question, and what becomes of both")
struct ResolverSupervisionTests {
    private static let start = ContinuousClock.now
    private let raw = RawAnswer(rcode: 0, isSecure: true, packet: [1, 2, 3])

    private func question(_ name: String) -> LookupQuestion { LookupQuestion(name: name, type: 1) }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { Self.start + .seconds(seconds) }

    /// A machine whose main child, number 1, is ready.
    private func ready(_ limits: ResolverLimits = ResolverLimits()) -> ResolverSupervision {
        var machine = ResolverSupervision(limits, at: Self.start)
        #expect(machine.begin(at: Self.start) == [.start(1)])
        #expect(machine.heard(1, .ready("1.17.1"), at: Self.start) == [])
        return machine
    }

    private func ask(
        _ machine: inout ResolverSupervision, _ number: UInt64, _ name: String, _ seconds: Double = 0
    )
        -> [ResolverSupervision.Action]
    {
        machine.asked(number, self.question(name), deadline: self.at(seconds + 30), at: self.at(seconds))
    }

    @Test("Questions go to the main child, those of before its start too, and its answers to who asked (field 0)")
    func answers() {
        var machine = ResolverSupervision(at: Self.start)
        _ = machine.begin(at: Self.start)
        #expect(self.ask(&machine, 1, "a.test") == [])
        #expect(
            machine.heard(1, .ready("x"), at: self.at(0.1))
                == [.send(1, .question(1, name: "a.test", type: 1))])
        #expect(self.ask(&machine, 2, "") == [.send(1, .question(2, name: "", type: 1))])
        #expect(machine.heard(1, .answer(1, self.raw), at: self.at(0.2)) == [.finish(1, .answered(self.raw))])
        #expect(machine.heard(1, .answer(1, self.raw), at: self.at(0.2)) == [], "once")
        #expect(machine.heard(7, .answer(2, self.raw), at: self.at(0.2)) == [], "from a child that is gone")
        #expect(machine.heard(1, .failed(2, "no memory"), at: self.at(0.3)) == [.finish(2, .unavailable("no memory"))])
    }

    @Test("What is not answered in time is given up by whoever looks for it (field 0)")
    func deadline() {
        var machine = self.ready()
        _ = self.ask(&machine, 1, "a.test")
        _ = machine.tick([:], at: self.at(29.9))
        #expect(machine.tick([:], at: self.at(30.1)).prefix(2) == [.finish(1, .timedOut), .send(1, .withdraw(1))])
        #expect(machine.questionsUnderWay == 0)
    }

    @Test(
        "At a death another child starts at once; what was under way is asked alone, and who kills again is not asked for an hour, then two (field 0)"
    )
    func quarantine() {
        var machine = self.ready()
        for (number, name) in [(1, "evil.test"), (2, "good.test")] as [(UInt64, String)] {
            _ = self.ask(&machine, number, name, Double(number))
        }
        let death = ResolverDeath.signal(11)
        // The youngest first: it is the most likely to be answered at once.
        let after = machine.died(1, death, self.at(3))
        #expect(after == [.end(1), .log(.replaced(death, questions: 2)), .start(2), .start(3), .start(4)])
        #expect(machine.heard(2, .ready("x"), at: self.at(3.1)) == [])
        #expect(self.ask(&machine, 3, "new.test", 3.1) == [.send(2, .question(3, name: "new.test", type: 1))])
        #expect(
            machine.heard(3, .ready("x"), at: self.at(3.2)) == [.send(3, .question(2, name: "good.test", type: 1))])
        #expect(machine.heard(3, .answer(2, self.raw), at: self.at(3.2)).first == .finish(2, .answered(self.raw)))
        #expect(
            machine.heard(4, .ready("x"), at: self.at(3.3)).isEmpty, "the other has it already")
        let end = machine.died(3, death, self.at(4))
        #expect(end.contains(.log(.quarantined(self.question("evil.test"), .seconds(3600), death))), "\(end)")
        #expect(
            end.contains { if case .finish(1, .excessive) = $0 { true } else { false } }, "theirs, and said by name")
        guard case .finish(5, .excessive)? = self.ask(&machine, 5, "evil.test", 100).first else {
            Issue.record("it was asked within the hour")
            return
        }
        #expect(machine.counters.quarantines == 1)

        // After its time it is asked alone at once, for two deaths more it stays away for two hours.
        #expect(self.ask(&machine, 6, "evil.test", 3700) == [.send(4, .question(6, name: "evil.test", type: 1))])
        _ = machine.died(4, death, self.at(3701))
        _ = machine.heard(5, .ready("x"), at: self.at(3702))
        let again = machine.died(5, death, self.at(3703))
        #expect(again.contains(.log(.quarantined(self.question("evil.test"), .seconds(7200), death))), "\(again)")
    }

    @Test(
        "A child that others killed puts nobody into quarantine; a question is asked five times at the most (field 0)")
    func killed() {
        var machine = self.ready()
        _ = self.ask(&machine, 1, "a.test")
        var finished: [ResolverSupervision.Action] = []
        var asked = 1
        for _ in 0..<10 where finished.isEmpty {
            var actions = machine.died(machine.holder(of: 1), .signal(9), self.at(1))
            for action in actions {
                if case .start(let child) = action { actions += machine.heard(child, .ready("x"), at: self.at(1)) }
            }
            asked += actions.count { if case .send(_, .question) = $0 { true } else { false } }
            finished = actions.filter { if case .finish = $0 { true } else { false } }
        }
        #expect(asked == 5)
        #expect(finished == [.finish(1, .unavailable("the resolver ended 5 times"))])
        #expect(machine.counters.quarantines == 0)
    }

    @Test("One that says nothing and computes is late: others take its place, and in the end it is ended (field 0)")
    func hung() {
        var machine = self.ready()
        _ = self.ask(&machine, 1, "spin.test")
        _ = self.ask(&machine, 2, "good.test")
        #expect(machine.tick([:], at: self.at(0.25)) == [.send(1, .ping(1))])
        func usage(_ seconds: Double) -> [Int: ResolverSupervision.Usage] {
            [1: .init(processorTime: .seconds(seconds), memory: 1 << 20)]
        }
        #expect(machine.tick(usage(0.25), at: self.at(0.5)) == [])
        #expect(machine.tick(usage(0.5), at: self.at(0.75)) == [])
        #expect(machine.tick(usage(0.8), at: self.at(1)) == [.start(2), .start(3), .start(4)])
        #expect(machine.counters.late == 1)
        _ = machine.heard(2, .ready("x"), at: self.at(1.1))
        #expect(self.ask(&machine, 3, "new.test", 1.1) == [.send(2, .question(3, name: "new.test", type: 1))])
        #expect(
            machine.heard(3, .ready("x"), at: self.at(1.1)).contains(.send(3, .question(2, name: "good.test", type: 1)))
        )
        #expect(
            machine.heard(3, .answer(2, self.raw), at: self.at(1.2))
                == [
                    .finish(2, .answered(self.raw)), .send(1, .withdraw(2)),
                    .send(3, .question(1, name: "spin.test", type: 1)),
                ])
        var actions: [ResolverSupervision.Action] = []
        for step in 0..<12 where actions.isEmpty {
            let time = 1.25 + Double(step) * 0.25
            actions = machine.tick(usage(time), at: self.at(time)).filter { if case .end = $0 { true } else { false } }
        }
        #expect(actions == [.end(1)])
        #expect(machine.counters.deaths[.hung] == 1)
    }

    @Test(
        "On a machine that is busy, silence without computing has ten seconds, and our own sleep does not count (field 0)"
    )
    func patience() {
        var machine = self.ready()
        _ = self.ask(&machine, 1, "slow.test")
        _ = machine.tick([:], at: self.at(0.25))
        // The node itself had no turn for nine seconds.
        #expect(machine.tick([:], at: self.at(9)) == [])
        for step in 37...47 { #expect(machine.tick([:], at: self.at(Double(step) * 0.25)) == []) }
        #expect(machine.counters.late == 0)
    }

    @Test(
        "One that grows beyond its limit, or computes and hardly answers, is ended, and the culprit found alone (field 0)"
    )
    func limits() {
        var machine = self.ready()
        _ = self.ask(&machine, 1, "big.test")
        let grown = machine.tick([1: .init(processorTime: .zero, memory: 2 << 30)], at: self.at(0.25))
        #expect(grown.prefix(2) == [.end(1), .log(.replaced(.grown(2 << 30), questions: 1))])
        _ = machine.heard(2, .ready("x"), at: self.at(0.5))
        #expect(machine.heard(3, .ready("x"), at: self.at(0.5)) == [.send(3, .question(1, name: "big.test", type: 1))])
        #expect(machine.heard(3, .answer(1, self.raw), at: self.at(0.6)) == [.finish(1, .answered(self.raw))])

        _ = self.ask(&machine, 2, "dear.test", 1)
        var ended: [ResolverSupervision.Action] = []
        for step in 4...60 where ended.isEmpty {
            let time = Double(step) * 0.25
            _ = machine.heard(2, .pong(UInt64(step)), at: self.at(time))
            ended = machine.tick([2: .init(processorTime: .seconds(time), memory: 0)], at: self.at(time))
                .filter { if case .end(2) = $0 { true } else { false } }
        }
        #expect(ended == [.end(2)])
        #expect(machine.counters.deaths[.processor] == 1)
        // It went to the child that was free, and there it pays for all.
        let lone = machine.holder(of: 2)
        var outcome: [ResolverSupervision.Action] = []
        for step in 61...120 where outcome.isEmpty {
            let time = Double(step) * 0.25
            _ = machine.heard(lone, .pong(UInt64(step)), at: self.at(time))
            outcome = machine.tick([lone: .init(processorTime: .seconds(time - 15), memory: 0)], at: self.at(time))
                .filter { if case .finish(2, .excessive) = $0 { true } else { false } }
        }
        #expect(outcome.count == 1)
    }

    @Test("A child that does not start is tried again, later each time, and who waits hears why (field 0)")
    func backoff() {
        var machine = self.ready()
        _ = machine.died(1, .signal(11), self.at(1))
        var starts: [Double] = []
        var child = 2
        _ = self.ask(&machine, 1, "a.test", 1)
        #expect(machine.died(child, .refused("no memory"), self.at(1)).contains(.log(.cannotStart("no memory"))))
        for step in 0..<200 {
            let time = 1 + Double(step) * 0.1
            for action in machine.tick([:], at: self.at(time)) {
                guard case .start(let number) = action else { continue }
                child = number
                starts.append(time)
                _ = machine.died(child, .refused("no memory"), self.at(time))
            }
        }
        #expect((5...9).contains(starts.count), "\(starts)")
        #expect(
            machine.tick([:], at: self.at(31.1)).contains(.finish(1, .unavailable("no resolver starts: no memory"))))
    }

    @Test("A message that is none ends its child (field 0)")
    func malformed() {
        var machine = self.ready()
        #expect(machine.heard(1, .ready("again"), at: self.at(1)).first == .end(1))
        #expect(machine.counters.deaths[.malformed] == 1)
    }
}

extension ResolverSupervision {
    /// The child that has this question.
    fileprivate func holder(of number: UInt64) -> Int { self.holders(of: number).max() ?? 0 }
}
