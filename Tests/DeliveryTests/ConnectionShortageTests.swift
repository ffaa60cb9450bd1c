import DeliveryQueue
import LabSupport
import Logging
import MailModel
import NIOPosix
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// Metric and log say which limit keeps deliveries waiting, and when it suffices again.
@Suite("Connections that run out", .timeLimit(.minutes(3)))
struct ConnectionShortageTests {
    private let log = RecordedLog()
    private let metrics = DeliveryMetrics(testing: MetricsRegistry())
    private let shortages: ConnectionShortages
    private let start = MonotonicInstant(nanoseconds: 1)

    init() { self.shortages = Self.shortages(connections: 200, self.metrics, self.log) }

    private static func shortages(
        connections: Int, _ metrics: DeliveryMetrics, _ log: RecordedLog
    ) -> ConnectionShortages {
        ConnectionShortages(
            ConnectionBudgets(connections: connections, destinations: 10_000), metrics: metrics, logger: log.logger)
    }

    @Test(
        "A limit is named once when it is reached, with its size and its setting, and counted as long as it is (field A4)",
        arguments: [
            (ConnectionShortage(pool: 3), DeliveryLimitLabel.pool, "50 being opened, 100 in all"),
            (ConnectionShortage(network: 3), .network, "12 being opened, 25 in all"),
            (ConnectionShortage(provenNetwork: 3), .provenNetwork, "37 being opened, 150 in all"),
            (ConnectionShortage(nullSenders: 3), .nullSenders, "25 being opened, 50 in all"),
            (ConnectionShortage(node: 3), .node, "200"),
        ])
    func named(_ waiting: ConnectionShortage, _ limit: DeliveryLimitLabel, _ size: String) throws {
        for _ in 0..<3 { self.shortages.observed(waiting, at: self.start) }
        #expect(self.log.lines.count == 1)
        let line = try #require(self.log.lines.first)
        #expect(line.level == .warning && line.message.hasSuffix("have run out: deliveries wait"))
        #expect(
            line.metadata == ["limit": limit.rawValue, "size": size, "setting": "delivery.max-connections"])
        for label in DeliveryLimitLabel.allCases {
            #expect(self.metrics.deliveriesAwaiting[label].value == (label == limit ? 3 : 0))
        }
    }

    @Test("So are the slots for domains, which no setting changes (field A4)")
    func destinations() {
        self.shortages.observed(destinationsLeft: 1, at: self.start)
        #expect(self.log.lines.map(\.message) == ["slots for domains under way have run out: deliveries wait"])
        #expect(self.log.lines.first?.metadata == ["limit": "destinations", "size": "10000", "setting": "none"])
        #expect(self.metrics.deliveriesAwaiting[.destinations].value == 1)
        self.shortages.observed(destinationsLeft: 0, at: self.start)
        #expect(self.metrics.deliveriesAwaiting[.destinations].value == 0)
    }

    @Test("So are deliveries of mail without a sender, until none was refused for a while (field A3)")
    func nullSenderDeliveries() {
        for _ in 0..<3 { self.shortages.refusedNullSender(at: self.start) }
        #expect(
            self.log.lines.map(\.message) == ["deliveries of mail without a sender have run out: deliveries wait"])
        #expect(
            self.log.lines.first?.metadata
                == ["limit": "null_sender_deliveries", "size": "100", "setting": "delivery.max-connections"])
        #expect(self.metrics.deliveriesAwaiting[.nullSenderDeliveries].value == 1)
        self.shortages.look(at: self.start + .seconds(30))
        #expect(self.metrics.deliveriesAwaiting[.nullSenderDeliveries].value == 0)
        self.shortages.look(at: self.start + .seconds(40))
        #expect(self.log.lines.last?.message == "deliveries of mail without a sender suffice again")
        #expect(self.log.lines.count == 2)
    }

    @Test("Who waits for an address waits for its host: that is counted, and no limit of ours")
    func address() {
        self.shortages.observed(ConnectionShortage(address: 7), at: self.start)
        #expect(self.log.lines.isEmpty)
        #expect(self.metrics.deliveriesAwaiting[.address].value == 7)
    }

    @Test("A limit suffices again when nobody has waited for ten seconds, and each for itself (field A4)")
    func relief() {
        self.shortages.observed(ConnectionShortage(pool: 1, node: 1), at: self.start)
        self.shortages.observed(ConnectionShortage(pool: 1), at: self.start + .seconds(5))
        self.shortages.observed(ConnectionShortage(), at: self.start + .seconds(9))
        #expect(self.log.lines.count == 2)
        self.shortages.look(at: self.start + .seconds(10))
        #expect(self.log.lines.count == 3 && self.log.lines.last?.metadata["limit"] == "node")
        self.shortages.look(at: self.start + .seconds(15))
        #expect(self.log.lines.count == 4 && self.log.lines.last?.metadata["limit"] == "pool")
        #expect(self.log.lines.suffix(2).allSatisfy { $0.level == .notice && $0.message.hasSuffix("suffice again") })
        self.shortages.look(at: self.start + .seconds(60))
        #expect(self.log.lines.count == 4)
    }

    @Test("Deliveries that wait are told of, and by a timer alone that the limit suffices again (field A4)")
    func table() async throws {
        // One connection may be opened to a stranger at a time.
        let shortages = Self.shortages(connections: 4, self.metrics, self.log)
        let clock = ManualClock()
        let table = SiteTable(
            limits: SiteLimits(SiteLimit(connections: 20)), connections: 4, time: clock, shortages: shortages)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (first, second) = (SiteCustomer(on: loop), SiteCustomer(on: loop))
        let opened = await Self.open(1, for: first, table)
        guard case .slot = opened else {
            Issue.record("the first has no slot")
            return
        }
        async let waits = Self.open(2, for: second, table)
        #expect(await eventually { !self.log.lines.isEmpty })
        #expect(self.log.lines.map(\.metadata["limit"]) == ["pool"])
        #expect(self.log.lines.first?.metadata["size"] == "1 being opened, 2 in all")
        #expect(self.metrics.deliveriesAwaiting[.pool].value == 1)
        table.withdraw(second)
        guard case .withdrawn = await waits else {
            Issue.record("it had a slot")
            return
        }
        // Nothing happens any more but that the table is looked at.
        async let _: Void = table.watch()
        for second in 0..<10 {
            #expect(self.log.lines.count == 1, "after \(second) s")
            await clock.waitForSleepers()
            clock.advance(by: .seconds(1))
        }
        await clock.waitForSleepers()
        #expect(self.log.lines.count == 2)
        #expect(self.log.lines.last?.message.hasSuffix("suffice again") == true)
        #expect(self.metrics.deliveriesAwaiting[.pool].value == 0)
        withExtendedLifetime(opened) {}
    }

    private static func open(_ number: UInt32, for customer: SiteCustomer, _ table: SiteTable) async -> SiteTable.Opened
    {
        let address = IPAddress.v4(0x0A00_0001 + number << 8)
        let target = ConnectionTarget(address, 25, by: [Egress(nil, helloName: "out.relay.test")])
        return await table.open(.address(address), at: [target], for: customer, isPatient: false, whenFull: { _ in })
    }
}
