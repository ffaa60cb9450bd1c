import ClusterModel
import Testing

@Suite("A stream at a replica")
struct WatchServerMachineTests {
    /// A stream of a node that holds a and b of state 5, as the replica does.
    private static func following() -> WatchServerMachine {
        var machine = WatchServerMachine()
        _ = machine.current(version: 5, versions: domains(["a": 1, "b": 2]))
        _ = machine.received(first: 5, held: domains(["a": 1, "b": 2]))
        return machine
    }

    @Test("control 3: a node that has everything is sent nothing, and is known to have it")
    func nothingToSend() {
        var machine = WatchServerMachine()
        #expect(machine.current(version: 5, versions: domains(["a": 1])) == [])
        #expect(machine.received(first: 5, held: domains(["a": 1])) == [.recordAcknowledged(5)])
        #expect(machine.current(version: 5, versions: domains(["a": 1])) == [])
    }

    @Test("control 3: a node that comes back is sent what differs, and the names that are gone")
    func difference() {
        var machine = WatchServerMachine()
        _ = machine.current(version: 9, versions: domains(["a": 1, "b": 9, "d": 8]))
        let change = change(5, 9, from: ["a": 1, "b": 2, "c": 3], to: ["a": 1, "b": 9, "d": 8])
        #expect(change.difference.changed == [domain("b"), domain("d")])
        #expect(change.difference.removed == [domain("c")])
        let actions = machine.received(first: 5, held: domains(["a": 1, "b": 2, "c": 3]))
        #expect(actions == [.recordAcknowledged(5), .send(change)])
    }

    @Test("control 3: a node without a state is sent everything, whatever it says it holds")
    func everything() {
        var machine = WatchServerMachine()
        _ = machine.current(version: 9, versions: domains(["a": 1]))
        let actions = machine.received(first: 0, held: domains(["a": 1]))
        #expect(actions == [.send(change(0, 9, from: [:], to: ["a": 1]))])
    }

    @Test("control 1: one change is on its way at a time, and its answer is followed by the latest state")
    func oneAtATime() {
        var machine = Self.following()
        let first = machine.current(version: 6, versions: domains(["a": 6, "b": 2]))
        #expect(first == [.send(change(5, 6, from: ["a": 1, "b": 2], to: ["a": 6, "b": 2]))])
        #expect(machine.nextNonce(hasMore: false) == 1)
        #expect(machine.current(version: 7, versions: domains(["a": 7, "b": 2])) == [])
        #expect(machine.current(version: 8, versions: domains(["a": 7, "b": 2, "c": 8])) == [])
        let second = change(6, 8, from: ["a": 6, "b": 2], to: ["a": 7, "b": 2, "c": 8])
        #expect(machine.received(nonce: 1, refusal: nil) == [.recordAcknowledged(6), .send(second)])
        #expect(machine.nextNonce(hasMore: false) == 2)
        #expect(machine.received(nonce: 2, refusal: nil) == [.recordAcknowledged(8)])
    }

    @Test("control 1: a refused state is not sent again, and the next one is sent on top of what the node has")
    func refused() {
        var machine = Self.following()
        _ = machine.current(version: 6, versions: domains(["a": 6, "b": 2]))
        _ = machine.nextNonce(hasMore: false)
        #expect(machine.received(nonce: 1, refusal: refusal(6, "a")) == [.recordRefusal(refusal(6, "a"))])
        #expect(machine.current(version: 6, versions: domains(["a": 6, "b": 2])) == [])
        let next = change(5, 7, from: ["a": 1, "b": 2], to: ["a": 7, "b": 2])
        #expect(machine.current(version: 7, versions: domains(["a": 7, "b": 2])) == [.send(next)])
        #expect(machine.nextNonce(hasMore: false) == 2)
        #expect(machine.received(nonce: 2, refusal: nil) == [.recordAcknowledged(7)])
    }

    @Test("control 5: a node that is not at the base is sent everything, once")
    func notAtBase() {
        var machine = Self.following()
        let current = ["a": UInt64(6), "b": 2]
        _ = machine.current(version: 6, versions: domains(current))
        _ = machine.nextNonce(hasMore: false)
        let everything = change(0, 6, from: [:], to: current)
        #expect(machine.received(nonce: 1, refusal: refusal(6, nil)) == [.send(everything)])
        _ = machine.nextNonce(hasMore: false)
        #expect(machine.received(nonce: 2, refusal: refusal(6, nil)) == [.recordRefusal(refusal(6, nil))])
        #expect(machine.current(version: 6, versions: domains(current)) == [])
    }

    @Test("control 2: nonces count the responses of a stream, whatever their versions")
    func nonces() {
        var machine = Self.following()
        _ = machine.current(version: 600, versions: domains(["a": 600]))
        #expect((0..<3).map { _ in machine.nextNonce(hasMore: true) } == [1, 2, 3])
        #expect(machine.nextNonce(hasMore: false) == 4)
        var next = Self.following()
        _ = next.current(version: 600, versions: domains(["a": 600]))
        #expect(next.nextNonce(hasMore: false) == 1)
    }

    @Test("control 2: an old nonce, and none, acknowledge and refuse nothing")
    func staleNonce() {
        var machine = Self.following()
        _ = machine.current(version: 6, versions: domains(["a": 6]))
        _ = machine.nextNonce(hasMore: false)
        _ = machine.current(version: 7, versions: domains(["a": 7]))
        _ = machine.received(nonce: 1, refusal: nil)
        _ = machine.nextNonce(hasMore: false)
        for refused in [nil, refusal(6, "a"), refusal(7, "a")] {
            #expect(machine.received(nonce: 1, refusal: refused) == [])
            #expect(machine.received(nonce: 0, refusal: refused) == [])
        }
        #expect(machine.received(nonce: 2, refusal: nil) == [.recordAcknowledged(7)])
        #expect(machine.received(nonce: 2, refusal: nil) == [])
    }

    @Test("control 2: only the answer to the last part counts, even if it comes while parts are still being sent")
    func parts() {
        var machine = Self.following()
        _ = machine.current(version: 6, versions: domains(["a": 6, "c": 6]))
        #expect(machine.nextNonce(hasMore: true) == 1)
        #expect(machine.received(nonce: 1, refusal: nil) == [])
        #expect(machine.nextNonce(hasMore: false) == 2)
        #expect(machine.received(nonce: 1, refusal: nil) == [])
        #expect(machine.received(nonce: 2, refusal: nil) == [.recordAcknowledged(6)])
    }

    @Test("control 4: a replica that is behind catches up before it sends anything")
    func catchUp() {
        var machine = WatchServerMachine()
        _ = machine.current(version: 3, versions: domains(["a": 1]))
        #expect(machine.received(first: 5, held: domains(["a": 4])) == [.recordAcknowledged(5), .catchUp(to: 5)])
        #expect(machine.current(version: 4, versions: domains(["a": 4])) == [])
        #expect(machine.current(version: 5, versions: domains(["a": 4])) == [])
        let next = change(5, 6, from: ["a": 4], to: ["a": 6])
        #expect(machine.current(version: 6, versions: domains(["a": 6])) == [.send(next)])
    }

    @Test("control 4: a replica that has read nothing yet answers nothing")
    func nothingRead() {
        var machine = WatchServerMachine()
        #expect(machine.received(first: 0, held: [:]) == [.catchUp(to: 0)])
        let everything = change(0, 5, from: [:], to: ["a": 1])
        #expect(machine.current(version: 5, versions: domains(["a": 1])) == [.send(everything)])
    }

    @Test("control 4: a replica that cannot catch up sends the node elsewhere")
    func elsewhere() {
        var machine = WatchServerMachine()
        _ = machine.current(version: 3, versions: domains(["a": 1]))
        _ = machine.received(first: 5, held: domains(["a": 4]))
        #expect(machine.couldNotCatchUp() == [.end(.replicaIsBehind(state: 3, node: 5))])
        #expect(machine.current(version: 6, versions: domains(["a": 6])) == [])
        var following = Self.following()
        #expect(following.couldNotCatchUp() == [])
    }

    @Test("control 4: a reading of the database that comes late changes nothing")
    func lateReading() {
        var machine = Self.following()
        #expect(machine.current(version: 4, versions: domains(["a": 1])) == [])
        #expect(machine.current(version: 5, versions: domains(["a": 1, "b": 2])) == [])
    }

    @Test("A difference that the replica knows is used only between the very states that it is for")
    func knownStep() {
        let marked = change(5, 6, from: [:], to: ["marked": 6])
        let current = ["a": UInt64(6), "b": 2]
        var machine = Self.following()
        #expect(machine.current(version: 6, versions: domains(current), step: marked) == [.send(marked)])
        var elsewhere = Self.following()
        let skipped = change(4, 6, from: [:], to: ["marked": 6])
        let found = elsewhere.current(version: 6, versions: domains(current), step: skipped)
        #expect(found == [.send(change(5, 6, from: ["a": 1, "b": 2], to: current))])
        // Another base, and a node that says that it has state 5 and has not all of it.
        for (state, held) in [(UInt64(4), ["a": UInt64(1), "b": 2]), (5, ["a": 1])] {
            var other = WatchServerMachine()
            _ = other.received(first: state, held: domains(held))
            let found = other.current(version: 6, versions: domains(current), step: marked)
            #expect(found == [.send(change(state, 6, from: held, to: current))])
        }
    }

    @Test("A node that breaks the rules of the stream is told which, and sent nothing more")
    func faults() {
        var twice = Self.following()
        #expect(twice.received(first: 5, held: [:]) == [.end(.beganTwice)])
        #expect(twice.current(version: 6, versions: domains(["a": 6])) == [])
        #expect(twice.received(first: 5, held: [:]) == [])
        var early = WatchServerMachine()
        #expect(early.received(nonce: 0, refusal: nil) == [.end(.answerBeforeBeginning)])
        #expect(early.received(nonce: 0, refusal: nil) == [])
        var future = Self.following()
        #expect(future.received(nonce: 1, refusal: nil) == [.end(.nonceNeverSent(1))])
        var other = Self.following()
        _ = other.current(version: 6, versions: domains(["a": 6]))
        _ = other.nextNonce(hasMore: false)
        let fault = WatchServerFault.refusalOfAnotherState(named: 5, sent: 6)
        #expect(other.received(nonce: 1, refusal: refusal(5, "a")) == [.end(fault)])
    }
}
