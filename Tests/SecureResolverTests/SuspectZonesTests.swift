import Testing

@testable import SecureResolver

/// Zones whose questions end children again and again, under names of their own or only together.
@Suite("Names that several resolvers died with")
struct SuspectZonesTests {
    private static let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { Self.start + .seconds(seconds) }

    private func question(_ name: String) -> LookupQuestion { LookupQuestion(name: name, type: 1) }

    private func suspects(_ zones: SuspectZones, _ name: String, _ seconds: Double = 100) -> Bool {
        zones.suspects(self.question(name), at: self.at(seconds))
    }

    /// What came of a death of the main child of a machine.
    private struct Death {
        var events: [ResolverSupervision.Event] = []
        var isMainAsked = false
    }

    /// A supervision whose children start at once. A question that is asked alone is answered, or ends its child.
    private struct Machine {
        var supervision = ResolverSupervision(at: SuspectZonesTests.start)
        var number: UInt64 = 0

        init() {
            _ = self.supervision.begin(at: SuspectZonesTests.start)
            _ = self.supervision.heard(1, .ready("x"), at: SuspectZonesTests.start)
        }

        mutating func die(
            with names: [String], alsoAlone killers: Set<String> = [], at now: ContinuousClock.Instant
        ) -> Death {
            let main = self.supervision.mainChild
            var death = Death()
            for name in names {
                self.number += 1
                let question = LookupQuestion(name: name, type: 1)
                let asked = self.supervision.asked(self.number, question, deadline: now + .seconds(30), at: now)
                death.isMainAsked = asked.contains { if case .send(main, .question) = $0 { true } else { false } }
            }
            var actions = self.supervision.died(main, .signal(11), now)
            while !actions.isEmpty {
                switch actions.removeFirst() {
                case .start(let child): actions += self.supervision.heard(child, .ready("x"), at: now)
                case .send(let child, .question(_, let name, _)) where killers.contains(name):
                    actions += self.supervision.died(child, .signal(11), now)
                case .send(let child, .question(let number, _, _)):
                    let answer = RawAnswer(rcode: 0, isSecure: true, packet: [])
                    actions += self.supervision.heard(child, .answer(number, answer), at: now)
                case .log(let event): death.events.append(event)
                default: ()
                }
            }
            return death
        }
    }

    @Test(
        "Two questions that end a child only together are told apart in the end, by names of their own each time (field 0)"
    )
    func pair() throws {
        var machine = Machine()
        var round = 0
        var isSuspected = false
        while !isSuspected, round < 20 {
            round += 1
            let names = ["a\(round).evil.test", "b\(round).evil.test", "good\(round).test"]
            let death = machine.die(with: names, at: self.at(Double(round)))
            #expect(machine.supervision.questionsUnderWay == 0, "each was answered")
            isSuspected = death.events.contains(.suspected("evil.test", .seconds(3600)))
        }
        #expect(round == 18, "two thirds of each death, and 12 are needed")
        #expect(machine.supervision.counters.quarantines == 0)
        let main = machine.supervision.mainChild
        for (number, name, isMain) in [(900, "c.evil.test", false), (901, "good1.test", true)]
            as [(UInt64, String, Bool)]
        {
            let actions = machine.supervision.asked(
                number, self.question(name), deadline: self.at(90), at: self.at(60))
            #expect(actions.contains(.send(main, .question(number, name: name, type: 1))) == isMain, "\(name)")
        }
    }

    @Test("A zone whose names end children one after the other has its others asked alone after a few (field 0)")
    func freshNames() {
        var machine = Machine()
        var events: [ResolverSupervision.Event] = []
        for round in 0..<8 {
            let name = "n\(round).evil.test"
            events += machine.die(with: [name], alsoAlone: [name], at: self.at(Double(round))).events
        }
        #expect(machine.supervision.counters.quarantines == 8)
        #expect(events.contains(.suspected("evil.test", .seconds(3600))), "\(events)")
    }

    @Test("A registry's name is not suspected for what was asked below one of its zones (field 0)")
    func registry() {
        var zones = SuspectZones(ResolverLimits())
        for round in 0..<100 {
            _ = zones.died(with: [self.question("n\(round).evil.co.uk")], at: self.at(Double(round) / 10))
        }
        #expect(self.suspects(zones, "other.evil.co.uk"))
        #expect(!self.suspects(zones, "good.co.uk"))
        #expect(!self.suspects(zones, "mx.good.co.uk"))
    }

    @Test("Who was asked about by chance at some deaths is not suspected with the one that was at all (field 0)")
    func bystanders() {
        var zones = SuspectZones(ResolverLimits())
        var round = 0
        while !self.suspects(zones, "x.evil.example.test"), round < 1000 {
            let bystanders = (0..<30).map { self.question("mx\($0).good\((round * 7 + $0) % 90).test") }
            _ = zones.died(
                with: bystanders + [self.question("n\(round).evil.example.test")], at: self.at(Double(round) / 10))
            round += 1
        }
        #expect(round < 60)
        #expect((0..<90).allSatisfy { !self.suspects(zones, "mx1.good\($0).test") })
    }

    @Test("An hour after the last death a name is asked for like others again (field 0)")
    func expiry() {
        var zones = SuspectZones(ResolverLimits())
        let evil = self.question("a.evil.test")
        #expect(zones.died(with: [evil], at: self.at(0)) == [])
        #expect(zones.died(with: [evil], at: self.at(1)) == ["a.evil.test"])
        #expect(zones.suspects(evil, at: self.at(3600)))
        #expect(!zones.suspects(evil, at: self.at(3601)))
        #expect(zones.died(with: [evil], at: self.at(3602)) == [], "it is counted anew")
    }

    @Test("A name of one label is never suspected (field 0)")
    func oneLabel() {
        var zones = SuspectZones(ResolverLimits())
        for round in 0..<100 {
            _ = zones.died(with: [self.question("test"), self.question("")], at: self.at(Double(round)))
        }
        #expect(zones.count == 0)
        #expect(!self.suspects(zones, "test"))
    }

    @Test("Names that are not suspected give way, and no more are remembered than may be (field 0)")
    func bound() {
        var limits = ResolverLimits()
        limits.suspectNames = 200
        var zones = SuspectZones(limits)
        for round in 0..<50 {
            let others = (0..<90).map { self.question("n\(round).x\($0).good.test") }
            _ = zones.died(with: [self.question("evil.example.test")], at: self.at(Double(round)))
            _ = zones.died(with: others, at: self.at(Double(round)))
            #expect(zones.count <= 200)
        }
        let isSuspected = self.suspects(zones, "evil.example.test")
        #expect(isSuspected)
    }
}
