import LabPeers
import LabRelay
import LabSupport
import Testing

/// A host that takes its time, beside one that does not.
@Suite("Slow receivers", .serialized, .timeLimit(.minutes(FaultForm.choose(short: 3, long: 90))))
struct TarpitFaultTests {
    /// How long mail for a fast host may take meanwhile, on a busy machine.
    private static let bound = Duration.seconds(10)

    @Test("A host that takes longer for the final reply than a lease lives gets each message once, and delays nobody")
    func finalReply() async throws {
        let wait = FaultForm.choose(short: Duration.seconds(8), long: .seconds(60))
        let slow = LabDomain.sink("slow.test", rules: [.on(.endOfData, .wait(wait), .proceed)])
        try await LabRelay.with([slow, .sink("fast.test")], .faults()) { lab in
            // More than it has connections: two rounds of waiting.
            let load = FaultLoad(lab, to: ["slow.test"])
            try await load.send(30)
            let fast = FaultLoad(lab, to: ["fast.test"])
            let longest = try await fast.longestDelivery(at: lab.peer("fast.test").server, for: wait + wait / 2)
            #expect(longest < Self.bound)
            print("beside a final reply after \(wait): fast mail took \(longest) at the longest")
            try await fast.prove("final reply after \(wait.components.seconds) s: a fast host beside it", runs: 1)
            let verdict = try await load.prove(
                "final reply after \(wait.components.seconds) s", runs: 1, within: wait * 4 + .seconds(30))
            #expect(verdict.copies == 0)
            #expect(try await lab.count(events: "kind IN ('DEFER', 'FAIL')") == 0)
        }
    }

    @Test("Fifty hosts that are slow at every step take most connections of the node, and a fast one is not delayed")
    func tarpits() async throws {
        let wait = FaultForm.choose(short: Duration.milliseconds(1500), long: .seconds(10))
        let steps: [ScriptedRule.Step] = [.greeting, .hello, .mail, .everyRecipient, .data, .endOfData]
        let rules = steps.map { ScriptedRule.on($0, .wait(wait), .proceed) }
        let tarpits = (1...50).map { LabDomain.sink("tarpit\($0).test", rules: rules) }
        try await LabRelay.with(tarpits + [.sink("fast.test")], .faults()) { lab in
            let load = FaultLoad(lab, to: tarpits.map(\.name))
            // As many as the node may have connections.
            try await load.send(200)
            var taken: [Int] = []
            let areAllTaken = await eventually(within: .seconds(60), every: .milliseconds(50)) {
                taken = tarpits.map { lab.peer($0.name).server.connectionCount }
                return !taken.contains(0) && taken.reduce(0, +) >= 100
            }
            try #require(areAllTaken, "the tarpits have \(taken) connections")
            let fast = FaultLoad(lab, to: ["fast.test"])
            let longest = try await fast.longestDelivery(at: lab.peer("fast.test").server, for: wait * 6)
            #expect(longest < Self.bound)
            print("beside 50 tarpits that wait \(wait) at each step: fast mail took \(longest) at the longest")
            try await fast.prove("50 tarpits: a fast host beside them", runs: 1, within: wait * 60)
            let verdict = try await load.prove("50 tarpits", runs: 1, within: wait * 60)
            #expect(verdict.copies == 0)
            #expect(try await lab.count(events: "kind IN ('DEFER', 'FAIL')") == 0)
        }
    }
}
