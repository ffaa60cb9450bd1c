import Admission
import MailModel
import Testing

@testable import EdgeNode

/// The number of connections, and how fast they come (hostile-input 15).
@Suite("Connection limits")
struct ConnectionLimiterTests {
    /// Connections that are told apart by these objects.
    private final class Connection {
        let address: IPAddress
        init(_ address: String) { self.address = IPAddress(address) ?? .v4(0) }
        var id: ObjectIdentifier { ObjectIdentifier(self) }
    }

    private let start = ContinuousClock.now

    private func admit(
        _ connection: Connection, _ limiter: ConnectionLimiter, after time: Duration = .zero
    ) -> ConnectionLimiter.Admission {
        let admission = limiter.open(connection.id)
        guard admission == .admitted else { return admission }
        return limiter.identify(connection.id, as: connection.address, at: self.start + time)
    }

    @Test("Connections over the limit of one address, or of all, are refused until one closes")
    func numbers() {
        let limiter = ConnectionLimiter(limits: .init(total: 3, perAddress: 2))
        let ones = (0..<3).map { _ in Connection("192.0.2.1") }
        let twos = (0..<3).map { _ in Connection("192.0.2.2") }
        #expect(self.admit(ones[0], limiter) == .admitted)
        #expect(self.admit(ones[1], limiter) == .admitted)
        #expect(self.admit(ones[2], limiter) == .refused(.address))
        #expect(self.admit(twos[0], limiter) == .admitted)
        #expect(self.admit(twos[1], limiter) == .refused(.total))
        limiter.closed(ones[2].id)
        limiter.closed(ones[0].id)
        #expect(self.admit(twos[2], limiter) == .admitted)
        limiter.drain()
        limiter.closed(twos[0].id)
        #expect(self.admit(ones[0], limiter) == .refused(.draining))
    }

    @Test("Who is refused takes no place of the others, and only so many are told why")
    func refusals() {
        let limiter = ConnectionLimiter(limits: .init(total: 1000, perAddress: 1))
        let connections = (0..<ConnectionLimiter.Limits.refusals + 3).map { _ in Connection("192.0.2.1") }
        #expect(self.admit(connections[0], limiter) == .admitted)
        for connection in connections[1...].prefix(ConnectionLimiter.Limits.refusals) {
            #expect(self.admit(connection, limiter) == .refused(.address))
        }
        #expect(self.admit(connections[connections.count - 2], limiter) == .dropped)
        limiter.closed(connections[1].id)
        #expect(self.admit(connections[connections.count - 1], limiter) == .refused(.address))
    }

    @Test(
        "Addresses of one network are one client",
        arguments: [
            ("2001:db8::1", "2001:db8::ffff:1", true), ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1", "::ffff:192.0.2.1", true),
        ])
    func networks(one: String, other: String, areOne: Bool) {
        let limiter = ConnectionLimiter(limits: .init(total: 10, perAddress: 1))
        let (first, second) = (Connection(one), Connection(other))
        #expect(self.admit(first, limiter) == .admitted)
        #expect(self.admit(second, limiter) == (areOne ? .refused(.address) : .admitted))
    }

    @Test("New connections of one client are counted over the last minute, refused ones too")
    func rate() {
        let limiter = ConnectionLimiter(limits: .init(total: 1000, perAddress: 1000, perMinute: 10))
        func visit(at second: Int) -> ConnectionLimiter.Admission {
            let connection = Connection("192.0.2.1")
            defer { limiter.closed(connection.id) }
            return self.admit(connection, limiter, after: .seconds(second))
        }
        for second in 0..<10 { #expect(visit(at: second) == .admitted) }
        #expect(visit(at: 10) == .refused(.rate))
        // Another client is not concerned.
        #expect(self.admit(Connection("192.0.2.9"), limiter, after: .seconds(10)) == .admitted)
        // Half of the next window: five of the eleven still count.
        for _ in 0..<4 { #expect(visit(at: 90) == .admitted) }
        for _ in 0..<2 { _ = visit(at: 90) }
        #expect(visit(at: 90) == .refused(.rate))
        #expect(visit(at: 300) == .admitted)
    }

    @Test("The table of rates is bounded; who is not in it is not refused")
    func boundedTable() {
        var rates = ConnectionRates()
        for number in 0..<UInt32(ConnectionRates.capacity) { _ = rates.count(.v4(number), at: self.start, limit: 1) }
        let stranger = IPAddress.v4(.max)
        for _ in 0..<5 {
            let isOver = rates.count(stranger, at: self.start, limit: 1)
            #expect(!isOver)
        }
        let isOver = rates.count(.v4(0), at: self.start, limit: 1)
        #expect(isOver)
    }
}
