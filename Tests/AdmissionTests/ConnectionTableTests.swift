import MailModel
import Testing

@testable import Admission

/// The number of connections, and how fast they come (hostile-input 15).
@Suite("Connection limits")
struct ConnectionTableTests {
    /// A table that is asked as a listener asks it; connections have numbers.
    private final class Listener {
        private var table: ConnectionTable<Int>
        private let start = MonotonicInstant(nanoseconds: 1)
        private var last = 0

        init(_ limits: ConnectionLimits) { self.table = ConnectionTable(limits) }

        /// A new connection of a client.
        func connect(_ address: String, after time: Duration = .zero) -> (id: Int, decision: ConnectionDecision) {
            self.last += 1
            let decision = self.table.opened(self.last)
            guard decision == .admitted else { return (self.last, decision) }
            let client = IPAddress(address) ?? .v4(0)
            return (self.last, self.table.identified(self.last, as: client, at: self.start + time))
        }

        func close(_ id: Int) { self.table.closed(id) }

        func drain() { self.table.drain() }
    }

    @Test("Connections over the limit of one address, or of all, are refused until one closes")
    func numbers() {
        let listener = Listener(ConnectionLimits(total: 3, perAddress: 2))
        let ones = (0..<3).map { _ in listener.connect("192.0.2.1") }
        #expect(ones.map(\.decision) == [.admitted, .admitted, .refused(.address)])
        let twos = (0..<2).map { _ in listener.connect("192.0.2.2") }
        #expect(twos.map(\.decision) == [.admitted, .refused(.total)])
        listener.close(ones[2].id)
        listener.close(ones[0].id)
        #expect(listener.connect("192.0.2.2").decision == .admitted)
        listener.drain()
        listener.close(twos[0].id)
        #expect(listener.connect("192.0.2.1").decision == .refused(.draining))
    }

    @Test("Who is refused takes no slot of the others, and only so many are told why")
    func refusals() {
        let listener = Listener(ConnectionLimits(total: 1000, perAddress: 1))
        #expect(listener.connect("192.0.2.1").decision == .admitted)
        let refused = (0..<ConnectionLimits.refusals).map { _ in listener.connect("192.0.2.1") }
        #expect(refused.allSatisfy { $0.decision == .refused(.address) })
        #expect(listener.connect("192.0.2.1").decision == .dropped)
        listener.close(refused[0].id)
        #expect(listener.connect("192.0.2.1").decision == .refused(.address))
    }

    @Test(
        "Addresses of one network are one client",
        arguments: [
            ("2001:db8::1", "2001:db8::ffff:1", true), ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1", "::ffff:192.0.2.1", true),
        ])
    func networks(one: String, other: String, areOne: Bool) {
        let listener = Listener(ConnectionLimits(total: 10, perAddress: 1))
        #expect(listener.connect(one).decision == .admitted)
        #expect(listener.connect(other).decision == (areOne ? .refused(.address) : .admitted))
    }

    @Test("New connections of one client are counted over the last minute, refused ones too")
    func rate() {
        let listener = Listener(ConnectionLimits(total: 1000, perAddress: 1000, perMinute: 10))
        func visit(at second: Int) -> ConnectionDecision {
            let visit = listener.connect("192.0.2.1", after: .seconds(second))
            listener.close(visit.id)
            return visit.decision
        }
        for second in 0..<10 { #expect(visit(at: second) == .admitted) }
        #expect(visit(at: 10) == .refused(.rate))
        // Another client is not concerned.
        #expect(listener.connect("192.0.2.9", after: .seconds(10)).decision == .admitted)
        // Half of the next window: five of the eleven still count.
        for _ in 0..<4 { #expect(visit(at: 90) == .admitted) }
        for _ in 0..<2 { _ = visit(at: 90) }
        #expect(visit(at: 90) == .refused(.rate))
        #expect(visit(at: 300) == .admitted)
    }

    @Test("The table of rates is bounded; who is not in it is not refused")
    func boundedTable() {
        let start = MonotonicInstant(nanoseconds: 1)
        var rates = ConnectionRates()
        for number in 0..<UInt32(ConnectionRates.capacity) { _ = rates.count(.v4(number), at: start, limit: 1) }
        let stranger = IPAddress.v4(.max)
        for _ in 0..<5 {
            let isOver = rates.count(stranger, at: start, limit: 1)
            #expect(!isOver)
        }
        let isOver = rates.count(.v4(0), at: start, limit: 1)
        #expect(isOver)
    }
}
