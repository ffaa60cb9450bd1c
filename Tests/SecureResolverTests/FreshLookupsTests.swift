import DNSModel
import MailModel
import TestLiterals
import Testing

@testable import SecureResolver

/// What strangers' mismatches may have asked past the caches.
@Suite("Look-ups past the caches")
struct FreshLookupsTests {
    private let start = ContinuousClock.now

    private static func tlsa(_ host: String) throws -> DNSQuestion {
        DNSQuestion(DomainName("_25._tcp.\(host)"), .tlsa)
    }

    /// Asks, and has the answer at once.
    private static func ask(
        _ question: DNSQuestion, findsNews: Bool = false, _ fresh: inout FreshLookups, at now: ContinuousClock.Instant
    ) -> Bool {
        guard fresh.begin(question, at: now) else { return false }
        fresh.ended(question, foundNews: findsNews)
        return true
    }

    @Test("A name is asked again after five minutes, and each time twice as late while it has nothing new (field D6)")
    func pauses() throws {
        let question = try Self.tlsa("mx.alpha.test")
        for (findsNews, expected) in [
            (false, [0, 10, 30, 70, 150, 310, 550, 790]), (true, Array(stride(from: 0, to: 800, by: 5))),
        ] {
            var fresh = FreshLookups()
            let asked = (0..<800).filter { minute in
                Self.ask(question, findsNews: findsNews, &fresh, at: self.start + .seconds(60 * minute))
            }
            #expect(asked == expected)
        }
        var fresh = FreshLookups()
        let first = Self.ask(question, &fresh, at: self.start)
        let second = Self.ask(question, findsNews: true, &fresh, at: self.start + .seconds(600))
        let third = Self.ask(question, &fresh, at: self.start + .seconds(900))
        #expect(first && second && third, "news ends the longer pause")
    }

    @Test("A stranger with a hundred hosts that never match leaves half of all times to others (field D6)")
    func oneStranger() throws {
        var fresh = FreshLookups()
        let hostile = try (0..<100).filter { number in
            Self.ask(try Self.tlsa("mx\(number).evil.test"), &fresh, at: self.start)
        }
        #expect(hostile.count == 30)
        let sub = try Self.tlsa("mx.alpha.test")
        let other = Self.ask(sub, &fresh, at: self.start)
        #expect(other)
    }

    @Test("Sixty strangers hold up a mended record for five minutes once, and hardly after that (field D6)")
    func sixtyStrangers() throws {
        var fresh = FreshLookups()
        let hostile = try (0..<60).map { try Self.tlsa("mx.evil\($0).test") }
        let mended = try (0..<24).map { try Self.tlsa("mx.mended\($0).test") }
        var refused: [Int] = []
        for minute in 0..<120 {
            let now = self.start + .seconds(60 * minute)
            for question in hostile { _ = Self.ask(question, &fresh, at: now) }
            // Each is mended once.
            guard minute % 5 == 4 else { continue }
            if !Self.ask(mended[minute / 5], findsNews: true, &fresh, at: now) { refused.append(minute) }
        }
        #expect(refused == [4, 14, 34, 74])
    }

    @Test("Whoever is silent holds half of what is asked at the same time (field D6)")
    func atOnce() throws {
        var fresh = FreshLookups()
        let hostile = try (0..<10).filter { fresh.begin(try Self.tlsa("mx\($0).evil.test"), at: self.start) }
        #expect(hostile.count == 2)
        #expect(fresh.begin(try Self.tlsa("mx.alpha.test"), at: self.start) == true)
        #expect(fresh.begin(try Self.tlsa("mx.beta.test"), at: self.start) == true)
        #expect(fresh.begin(try Self.tlsa("mx.gamma.test"), at: self.start) == false)
        fresh.ended(try Self.tlsa("mx.alpha.test"), foundNews: false)
        #expect(fresh.begin(try Self.tlsa("mx.gamma.test"), at: self.start) == true)
    }

    @Test("Records in another order are no news (field D6)")
    func order() throws {
        let records = [DNSRecord.alias("a.test"), .alias("b.test")]
        #expect(DNSAnswer.found(records, .secure).saysTheSame(as: .found(records.reversed(), .secure)))
        #expect(!DNSAnswer.found(records, .secure).saysTheSame(as: .found(records, .insecure)))
        #expect(!DNSAnswer.found(records, .secure).saysTheSame(as: .found([records[0]], .secure)))
        #expect(!DNSAnswer.found(records, .secure).saysTheSame(as: .absent(.noData, .secure)))
    }
}
