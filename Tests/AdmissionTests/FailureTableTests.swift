import MailModel
import Testing

@testable import Admission

/// Refused credentials, counted by client.
@Suite("The table of failures")
struct FailureTableTests {
    private func expect(_ actual: Bool, _ wanted: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(actual == wanted, sourceLocation: sourceLocation)
    }

    @Test("An IPv6 client is its /64, an IPv4 client its address, mapped or not")
    func hosts() {
        var table = FailureTable(limit: 1, window: .seconds(60))
        let now = MonotonicInstant(nanoseconds: 1)
        table.failed(.v6(1, 2), at: now)
        self.expect(table.isBlocked(.v6(1, 3), at: now), true)
        self.expect(table.isBlocked(.v6(2, 2), at: now), false)
        table.failed(.v4(5), at: now)
        self.expect(table.isBlocked(.v6(0, 0xFFFF_0000_0005), at: now), true)
        self.expect(table.isBlocked(.v4(6), at: now), false)
    }

    @Test("Who counts connections by wider networks counts passwords by them too")
    func networks() {
        var table = FailureTable(limit: 1, window: .seconds(60), clients: ClientNetworks(prefixIPv6: 56))
        let now = MonotonicInstant(nanoseconds: 1)
        table.failed(.v6(0x100, 2), at: now)
        self.expect(table.isBlocked(.v6(0x1ff, 3), at: now), true)
        self.expect(table.isBlocked(.v6(0x200, 3), at: now), false)
    }

    @Test("The window counts from the first failure, not from the last")
    func window() {
        var table = FailureTable(limit: 3, window: .seconds(60))
        let now = MonotonicInstant(nanoseconds: 1)
        for second in [0, 30, 59] { table.failed(.loopback, at: now + .seconds(second)) }
        self.expect(table.isBlocked(.loopback, at: now + .seconds(59)), true)
        self.expect(table.isBlocked(.loopback, at: now + .seconds(60)), false)
    }
}
