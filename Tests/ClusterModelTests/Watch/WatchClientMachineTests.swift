import ClusterModel
import Testing

@Suite("A stream at a node")
struct WatchClientMachineTests {
    typealias Machine = WatchClientMachine<String>

    /// A node that has a and b of state 5, on a stream that was just opened.
    private static func connected(maximumResources: Int = 10) -> Machine {
        var machine = Machine(
            version: 5, held: domains(["a": 1, "b": 2]), maximumResources: maximumResources)
        _ = machine.connected()
        return machine
    }

    private static func part(
        _ nonce: UInt64, _ base: UInt64, _ target: UInt64, _ changed: KeyValuePairs<String, UInt64> = [:],
        removed: [String] = [], hasMore: Bool = false
    ) -> WatchPart<String> {
        let resources = changed.map { WatchedResource(key: domain($0), version: $1, content: "\($0)@\($1)") }
        return WatchPart(
            nonce: nonce, base: base, target: target, changed: resources, removed: removed.map(domain),
            hasMore: hasMore)
    }

    @Test("control 3: a stream begins with the state and the version of each resource")
    func beginning() {
        var machine = Machine(version: 5, held: domains(["a": 1]))
        let beginning = machine.connected()
        #expect(beginning.stateVersion == 5 && beginning.held == domains(["a": 1]))
        var fresh = Machine()
        #expect(fresh.connected().stateVersion == 0)
    }

    @Test("control 5: the parts of a change are applied as a whole, after the last one")
    func parts() throws {
        var machine = Self.connected()
        #expect(machine.received(Self.part(1, 5, 8, ["a": 7], hasMore: true)).answer == WatchAnswer(1))
        #expect(machine.received(Self.part(2, 5, 8, removed: ["b"], hasMore: true)).answer == WatchAnswer(2))
        #expect(machine.version == 5 && machine.held == domains(["a": 1, "b": 2]))
        let change = try #require(machine.received(Self.part(3, 5, 8, ["c": 8])).change)
        #expect(change.changed.map(\.content) == ["a@7", "c@8"])
        #expect(change.removed == [domain("b")] && !change.hasEverything)
        #expect(machine.version == 5)
        #expect(machine.applied(change) == WatchAnswer(3))
        #expect(machine.version == 8 && machine.held == domains(["a": 7, "c": 8]))
    }

    @Test("control 5: what a change with everything has not is gone")
    func everything() throws {
        var machine = Self.connected()
        let change = try #require(machine.received(Self.part(1, 0, 8, ["a": 1, "c": 8])).change)
        #expect(change.hasEverything && change.removed == [domain("b")])
        #expect(machine.applied(change) == WatchAnswer(1))
        #expect(machine.held == domains(["a": 1, "c": 8]))
    }

    @Test("control 5: a node that is not at the base asks for everything")
    func notAtBase() throws {
        var machine = Self.connected()
        #expect(machine.received(Self.part(1, 6, 8, ["a": 7], hasMore: true)).answer == WatchAnswer(1))
        let refusal = try #require(machine.received(Self.part(2, 6, 8)).answer?.refusal)
        #expect(refusal.stateVersion == 8 && refusal.resource == nil)
        #expect(refusal.reason == "The change begins at state 6, and this node has state 5.")
        #expect(machine.version == 5)
        #expect(machine.received(Self.part(3, 0, 8, ["a": 7])).change?.target == 8)
    }

    @Test("control 1: a refusal names the state, the resource and the reason, and changes nothing")
    func refusal() throws {
        var machine = Self.connected()
        let change = try #require(machine.received(Self.part(1, 5, 8, ["a": 7])).change)
        let answer = machine.refused(change, resource: domain("a"), reason: "The key is of another certificate.")
        let refusal = WatchRefusal(
            stateVersion: 8, resource: domain("a"), reason: "The key is of another certificate.")
        #expect(answer?.nonce == 1 && answer?.refusal == refusal)
        #expect(machine.version == 5 && machine.held == domains(["a": 1, "b": 2]))
        #expect(machine.received(Self.part(2, 5, 9, ["a": 9])).change?.target == 9)
    }

    @Test("control 1: a resource that is named twice in a change is refused", arguments: [["a"], []])
    func twice(_ removed: [String]) throws {
        var machine = Self.connected()
        let changed: KeyValuePairs<String, UInt64> = removed.isEmpty ? ["a": 7, "c": 7, "a": 8] : ["a": 7]
        let refusal = try #require(machine.received(Self.part(1, 5, 8, changed, removed: removed)).answer?.refusal)
        #expect(refusal.stateVersion == 8 && refusal.resource == domain("a"))
    }

    @Test("control 2: a response that is missing or repeated ends the stream, and nonces begin anew on the next")
    func nonces() throws {
        var machine = Self.connected()
        #expect(machine.received(Self.part(2, 5, 6)).fault == .nonceOutOfOrder(expected: 1, got: 2))
        let change = try #require(machine.received(Self.part(1, 5, 6)).change)
        _ = machine.applied(change)
        #expect(machine.received(Self.part(1, 6, 7)).fault == .nonceOutOfOrder(expected: 2, got: 1))
        _ = machine.connected()
        #expect(machine.received(Self.part(1, 6, 7)).change?.target == 7)
    }

    @Test("control 4: an older state, or an older resource, is never obeyed")
    func older() {
        var machine = Self.connected()
        #expect(machine.received(Self.part(1, 0, 4, ["a": 1])).fault == .olderState(offered: 4, held: 5))
        let fault = WatchClientFault.olderResource(domain("b"), offered: 1, held: 2)
        #expect(machine.received(Self.part(1, 5, 8, ["a": 1, "b": 1])).fault == fault)
        #expect(machine.version == 5 && machine.held == domains(["a": 1, "b": 2]))
    }

    @Test("control 5: what a stream left unfinished is forgotten when the next one opens")
    func lostParts() throws {
        var machine = Self.connected()
        _ = machine.received(Self.part(1, 5, 8, ["a": 7], hasMore: true))
        #expect(machine.connected().stateVersion == 5)
        let change = try #require(machine.received(Self.part(1, 5, 9, ["c": 9])).change)
        #expect(change.changed.map(\.key) == [domain("c")])
    }

    @Test("control 4: a change that is applied late never undoes a newer one, nor answers on another stream")
    func lateApplication() throws {
        var machine = Self.connected()
        let slow = try #require(machine.received(Self.part(1, 5, 8, ["a": 8])).change)
        _ = machine.connected()
        let fast = try #require(machine.received(Self.part(1, 5, 9, ["a": 9])).change)
        #expect(machine.refused(slow, resource: domain("a"), reason: "late") == nil)
        #expect(machine.applied(fast) == WatchAnswer(1))
        #expect(machine.applied(slow) == nil)
        #expect(machine.version == 9 && machine.held == domains(["a": 9, "b": 2]))
    }

    @Test("control 4: a change that a slow one of an earlier stream has overtaken is not applied, and is answered")
    func overtaken() throws {
        var machine = Self.connected()
        let slow = try #require(machine.received(Self.part(1, 5, 9, ["a": 9])).change)
        _ = machine.connected()
        let overtaken = try #require(machine.received(Self.part(1, 5, 8, ["a": 8])).change)
        #expect(machine.permits(overtaken))
        #expect(machine.applied(slow) == nil)
        #expect(!machine.permits(overtaken))
        let answer = machine.applied(overtaken)
        let refusal = WatchRefusal(stateVersion: 8, resource: nil, reason: "The node has state 9 by now.")
        #expect(answer == WatchAnswer(nonce: 1, refusal: refusal))
        #expect(machine.version == 9 && machine.held == domains(["a": 9, "b": 2]))
    }

    @Test("A replica that breaks the rules of the stream is left")
    func faults() {
        var mixed = Self.connected()
        _ = mixed.received(Self.part(1, 5, 8, hasMore: true))
        #expect(mixed.received(Self.part(2, 5, 9)).fault == .partsOfTwoChanges)
        var hasty = Self.connected()
        _ = hasty.received(Self.part(1, 5, 8))
        #expect(hasty.received(Self.part(2, 8, 9)).fault == .changeBeforeAnswer)
        var large = Self.connected(maximumResources: 3)
        _ = large.received(Self.part(1, 7, 8, ["a": 7, "c": 7], hasMore: true))
        #expect(large.received(Self.part(2, 7, 8, ["d": 8], removed: ["b"])).fault == .tooManyResources(limit: 3))
    }
}

extension WatchAnswer {
    /// An acknowledgement.
    fileprivate init(_ nonce: UInt64) { self.init(nonce: nonce, refusal: nil) }
}

extension WatchClientMachine.OnPart {
    fileprivate var answer: WatchAnswer? {
        if case .answer(let answer) = self { answer } else { nil }
    }

    fileprivate var change: WatchedChange<Content>? {
        if case .apply(let change) = self { change } else { nil }
    }

    fileprivate var fault: WatchClientFault? {
        if case .end(let fault) = self { fault } else { nil }
    }
}
