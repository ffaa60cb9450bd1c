import DeliveryQueue
import MailModel
import TestLiterals
import Testing

/// Limits of receiving sites, on a clock that the tests move.
@Suite("Receiving sites")
struct SiteTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let one = Egress(nil, helloName: "out.relay.test")
    private static let other = Egress(.loopback, helloName: "out2.relay.test")
    private static let site = site("mx.bravo.test")

    private static func site(_ host: DomainName) -> ReceivingSite { .hosts([host]) }

    // MARK: Rate

    @Test("Sixty a minute is one a second, whenever it is asked for")
    func evenRate() {
        var bucket = TokenBucket(perMinute: 60, at: Self.start)
        #expect(bucket.take(at: Self.start) == nil)
        #expect(bucket.take(at: Self.start) == .seconds(1))
        #expect(bucket.take(at: Self.start + .milliseconds(400)) == .milliseconds(600))
        #expect(bucket.take(at: Self.start + .seconds(1)) == nil)
        // What was not used is not saved up for a burst.
        #expect(bucket.take(at: Self.start + .seconds(100)) == nil)
        #expect(bucket.take(at: Self.start + .seconds(100)) == .seconds(1))
    }

    @Test("A high rate allows a second's worth at once, and in the long run no more than the rate")
    func burst() {
        var bucket = TokenBucket(perMinute: 600, at: Self.start)
        var taken = 0
        for tenth in 0..<600 {
            while bucket.take(at: Self.start + .milliseconds(100) * tenth) == nil { taken += 1 }
            if tenth == 0 { #expect(taken == 10) }
        }
        #expect((600...610).contains(taken))
        #expect(!bucket.isFull(at: Self.start + .seconds(60)))
        #expect(bucket.isFull(at: Self.start + .seconds(70)))
    }

    // MARK: Connections

    @Test("A site has so many connections by each egress source, and the one with fewer is taken")
    func connections() {
        var usage = SiteUsage(limits: SiteLimits(SiteLimit(connections: 2)))
        let sources = [Self.one, Self.other]
        let opened = (0..<4).map { _ in
            let source = usage.source(to: Self.site, of: sources)
            if let source { usage.open(Self.site, by: source, at: Self.start) }
            return source
        }
        #expect(opened == [Self.one, Self.other, Self.one, Self.other])
        #expect(usage.source(to: Self.site, of: sources) == nil)
        #expect(usage.source(to: Self.site("mx.charlie.test"), of: sources) == Self.one)
        usage.close(Self.site, by: Self.other, at: Self.start)
        #expect(usage.source(to: Self.site, of: sources) == Self.other)
    }

    @Test(
        "Other limits hold for what is opened and sent from then on; what is open counts, and a rate that stays is kept"
    )
    func replacedLimits() {
        func limits(_ connections: Int, _ rate: Int) -> SiteLimits {
            SiteLimits(SiteLimit(connections: connections, messagesPerMinute: rate))
        }
        var usage = SiteUsage(limits: limits(2, 60))
        for _ in 0..<2 { usage.open(Self.site, by: Self.one, at: Self.start) }
        #expect(usage.send(to: Self.site, by: Self.one, at: Self.start) == nil)
        usage.replace(limits(3, 60))
        #expect(usage.source(to: Self.site, of: [Self.one]) == Self.one)
        #expect(usage.send(to: Self.site, by: Self.one, at: Self.start) == .seconds(1))
        usage.replace(limits(1, 30))
        #expect(usage.send(to: Self.site, by: Self.one, at: Self.start) == nil)
        #expect(usage.send(to: Self.site, by: Self.one, at: Self.start) == .seconds(2))
        usage.close(Self.site, by: Self.one, at: Self.start)
        #expect(usage.source(to: Self.site, of: [Self.one]) == nil)
        usage.close(Self.site, by: Self.one, at: Self.start)
        #expect(usage.source(to: Self.site, of: [Self.one]) == Self.one)
    }

    @Test("Domains with the same hosts are one site; a rule brings more hosts together, and has limits of its own")
    func sites() throws {
        let pattern = try #require(DomainPattern("*.mail.test", domainName: { DomainName($0) }))
        let limits = SiteLimits(
            SiteLimit(connections: 20),
            rules: [
                SiteLimits.Rule(pattern, SiteLimit(connections: 3, messagesPerMinute: 7)),
                SiteLimits.Rule(DomainPattern("a.mail.test"), SiteLimit(connections: 1)),
            ])
        let site = limits.site(of: ["a.mail.test"])
        #expect(site == limits.site(of: ["x.other.test", "b.c.mail.test"]))
        #expect(limits[site].messagesPerMinute == 7)
        // The name itself is not below it.
        #expect(limits.site(of: ["mail.test"]) == Self.site("mail.test"))
        #expect(limits[Self.site("mail.test")].connections == 20)
    }

    @Test(
        "A pattern covers itself and all that is about fewer names",
        arguments: [
            ("*.a.test", "x.a.test", true), ("*.a.test", "*.x.a.test", true), ("*.a.test", "*.a.test", true),
            ("*.a.test", "a.test", false), ("*.a.test", "*.test", false), ("a.test", "a.test", true),
            ("a.test", "*.a.test", false), ("*.a.test", "*.ba.test", false),
        ])
    func covering(_ one: String, _ other: String, _ covers: Bool) throws {
        let patterns = try [one, other].map { text in
            try #require(DomainPattern(text, domainName: { DomainName($0) }))
        }
        #expect(patterns[0].covers(patterns[1]) == covers)
    }

    @Test("A site is forgotten when it is as if nothing had been sent")
    func bounded() {
        var usage = SiteUsage(limits: SiteLimits(SiteLimit(connections: 2, messagesPerMinute: 60)))
        for number in 0..<10_000 {
            let now = Self.start + .seconds(1) * number
            let site = ReceivingSite.address(.v4(UInt32(number)))
            usage.open(site, by: Self.one, at: now)
            #expect(usage.send(to: site, by: Self.one, at: now) == nil)
            usage.close(site, by: Self.one, at: now)
        }
        #expect(usage.count <= 1024)
    }
}
