import DeliveryQueue
import MailModel
import TestLiterals
import Testing

/// Who may open a connection to a receiving host, on a clock that the tests move.
@Suite("Connections of the node")
struct ConnectionAdmissionTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let one = Egress(nil, helloName: "out.relay.test")
    private static let other = Egress(.loopback, helloName: "out2.relay.test")
    private static let first = IPAddress.v4(0xC000_0201)
    private static let second = IPAddress.v4(0xC000_0301)

    private static func site(_ number: Int) -> ReceivingSite { .address(.v4(UInt32(number))) }

    private func admission(perSite: Int = 20, connections: Int = 200) -> ConnectionAdmission {
        ConnectionAdmission(limits: SiteLimits(SiteLimit(connections: perSite)), connections: connections)
    }

    private func target(
        _ address: IPAddress, _ sources: [Egress] = [one], port: UInt16 = 25
    ) -> ConnectionTarget {
        ConnectionTarget(address, port, by: sources)
    }

    @Test("Sites at the same address share its window, and wait for each other's connections (field A4, B1)")
    func sharedAddress() throws {
        var admission = self.admission()
        let grants = (0..<260).compactMap { number -> ConnectionGrant? in
            guard
                case .granted(let grant) = admission.open(Self.site(number), at: [target(Self.first)], now: Self.start)
            else { return nil }
            return grant
        }
        #expect(grants.count == ConnectionWindow.first)
        let answer = admission.open(Self.site(300), at: [target(Self.first)], now: Self.start)
        #expect(answer == .full(.address(isGrowing: true)))
        // Another port of it is another server.
        guard case .granted = admission.open(Self.site(300), at: [target(Self.first, port: 26)], now: Self.start) else {
            Issue.record("no capacity at another port")
            return
        }
        // An address next to it takes more.
        guard case .granted = admission.open(Self.site(300), at: [target(Self.second)], now: Self.start) else {
            Issue.record("no capacity at another address")
            return
        }
        admission.succeeded(try #require(grants.first), at: Self.start)
        guard case .granted = admission.open(Self.site(300), at: [target(Self.first)], now: Self.start) else {
            Issue.record("no capacity although one was opened")
            return
        }
    }

    @Test(
        "Of a host's addresses the first that has capacity is taken, and each of our addresses has its own window (field B1)"
    )
    func severalAddresses() {
        var admission = self.admission()
        let targets = [target(Self.first, [Self.one, Self.other]), target(Self.second)]
        var taken: [ConnectionGrant] = []
        while case .granted(let grant) = admission.open(Self.site(1), at: targets, now: Self.start) {
            taken.append(grant)
        }
        #expect(taken.map(\.address) == Array(repeating: Self.first, count: 4) + [Self.second, Self.second])
        #expect(taken.count { $0.egress == Self.other } == 2)
    }

    @Test("The operator's limit for a site holds, whatever its addresses take (field B1)")
    func perSite() throws {
        var admission = self.admission(perSite: 3)
        var taken: [ConnectionGrant] = []
        while case .granted(let grant) = admission.open(Self.site(1), at: [target(Self.first)], now: Self.start) {
            admission.succeeded(grant, at: Self.start)
            taken.append(grant)
        }
        #expect(taken.count == 3)
        let full = admission.open(Self.site(1), at: [target(Self.first)], now: Self.start)
        #expect(full == .full(.site))
        admission.close(try #require(taken.first), wasEstablished: true, at: Self.start)
        guard case .granted = admission.open(Self.site(1), at: [target(Self.first)], now: Self.start) else {
            Issue.record("what was given back cannot be taken")
            return
        }
    }

    @Test(
        "An address that refused one gets no more, and is asked again after a second where none is open (field B1)")
    func narrowed() throws {
        var admission = self.admission()
        func open() -> ConnectionGrant? {
            guard case .granted(let grant) = admission.open(Self.site(1), at: [target(Self.first)], now: Self.start)
            else {
                return nil
            }
            return grant
        }
        let (works, tooMany) = (try #require(open()), try #require(open()))
        admission.succeeded(works, at: Self.start)
        let size = admission.refused(tooMany, inSilence: false, at: Self.start)
        #expect(size == 1)
        admission.close(tooMany, wasEstablished: false, at: Self.start)
        let answer = admission.open(Self.site(1), at: [target(Self.first)], now: Self.start)
        #expect(answer == .full(.address(isGrowing: false)))
        admission.close(works, wasEstablished: true, at: Self.start)
        let again = try #require(open())
        let sizeAgain = admission.refused(again, inSilence: false, at: Self.start)
        #expect(sizeAgain == 1)
        admission.close(again, wasEstablished: false, at: Self.start)
        let resting = admission.open(Self.site(1), at: [target(Self.first)], now: Self.start)
        #expect(resting == .resting(.seconds(1)))
    }

    @Test("However many addresses there are, few of those without a connection are remembered")
    func bounded() {
        var admission = self.admission()
        for number in 0..<60_000 {
            let address = IPAddress.v4(UInt32(number))
            guard case .granted(let grant) = admission.open(Self.site(1), at: [target(address)], now: Self.start) else {
                Issue.record("no capacity")
                return
            }
            admission.close(grant, wasEstablished: false, at: Self.start)
        }
        #expect(admission.addressCount <= 2 * ConnectionAdmission.mostRemembered)
    }
}
