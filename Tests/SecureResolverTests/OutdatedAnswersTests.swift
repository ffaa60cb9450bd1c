import DNSModel
import LabDNS
import MailModel
import TestLiterals
import Testing

@testable import SecureResolver

@Suite("Answers that are to be looked up anew")
struct OutdatedAnswersTests {
    private static func outdated(_ name: DomainName, isZone: Bool = false) -> OutdatedAnswers {
        var outdated = OutdatedAnswers()
        outdated.insert(name, isZone: isZone)
        return outdated
    }

    private static let absent = DNSAnswer.absent(.noData, .secure)

    @Test(
        "A name covers its own answers and those of its service names; a zone all below it (field D6)",
        arguments: [
            ("mx.alpha.test", true, true), ("_25._tcp.mx.alpha.test", true, true), ("_tcp.mx.alpha.test", true, true),
            ("www.mx.alpha.test", false, true), ("_25._tcp.www.mx.alpha.test", false, true),
            ("alpha.test", false, false), ("amx.alpha.test", false, false), ("_x.alpha.test", false, false),
        ] as [(DomainName, Bool, Bool)])
    func names(_ name: DomainName, byName: Bool, byZone: Bool) {
        for type in [DNSQuestion.RecordType.tlsa, .a] {
            let question = DNSQuestion(name, type)
            #expect(Self.outdated("mx.alpha.test").covers(question, Self.absent) == byName)
            #expect(Self.outdated("mx.alpha.test", isZone: true).covers(question, Self.absent) == byZone)
        }
    }

    @Test("What an alias led to a name is covered with it (field D6)")
    func aliases() {
        let question = DNSQuestion("other.test", .a)
        let answer = DNSAnswer.found([], .secure, aliases: ["mx.alpha.test"])
        #expect(Self.outdated("mx.alpha.test").covers(question, answer))
        #expect(!Self.outdated("mx.alpha.test").covers(question, Self.absent))
        #expect(OutdatedAnswers.everything.covers(question, Self.absent))
    }

    @Test("Beyond the most names, everything is outdated (field D6)")
    func most() throws {
        var outdated = OutdatedAnswers()
        var other = OutdatedAnswers()
        for number in 0..<OutdatedAnswers.most {
            outdated.insert(DomainName("d\(number).test"), isZone: false)
        }
        #expect(!outdated.isEverything)
        other.insert("alpha.test", isZone: true)
        outdated.formUnion(other)
        #expect(outdated == .everything)
    }
}

@Suite("Questions whose older answers libunbound may know")
struct RenewedQuestionsTests {
    private let one = DNSQuestion("_25._tcp.mx1.test", .tlsa)
    private let two = DNSQuestion("_25._tcp.mx2.test", .tlsa)

    private let now = Timestamp(seconds: 0)
    private let later = Timestamp(seconds: 7_200)

    @Test("The child is replaced before it is asked for one, once in a while at the most (field D6)")
    func replacements() {
        var renewed = RenewedQuestions()
        let start = ContinuousClock.now
        #expect(renewed.asked(self.one, at: start, self.now) == .ask)
        let isFull = renewed.renewed(self.one, until: self.later)
        #expect(!isFull)
        #expect(renewed.asked(self.two, at: start, self.now) == .ask)
        #expect(renewed.asked(self.one, at: start, self.now) == .replaceFirst)
        renewed.replaced(at: start)
        #expect(renewed.asked(self.one, at: start, self.now) == .ask)
        _ = renewed.renewed(self.two, until: self.later)
        #expect(renewed.asked(self.two, at: start + .seconds(59), self.now) == .refuse)
        #expect(renewed.asked(self.two, at: start + RenewedQuestions.pause, self.now) == .replaceFirst)
    }

    @Test("Once the child has forgotten the older answer it is asked, and not replaced (field D6)")
    func forgotten() {
        var renewed = RenewedQuestions()
        _ = renewed.renewed(self.one, until: self.later)
        #expect(renewed.asked(self.one, at: .now, self.later) == .ask)
        let answer = DNSAnswer.absent(.noData, .secure)
        #expect(RenewedQuestions.end(of: answer, keptUntil: self.later, at: self.now) == self.later)
        let aliased = DNSAnswer.absent(.noData, .secure, aliases: ["mx.alpha.test"])
        let end = RenewedQuestions.end(of: aliased, keptUntil: self.later, at: self.now)
        #expect(end == self.now + .seconds(86_400), "the alias may live longer")
    }

    @Test(
        "A domain whose records change all the time has the child replaced once in an hour, another domain too (field D6)"
    )
    func hostileDomain() throws {
        var renewed = RenewedQuestions()
        let start = ContinuousClock.now
        var replacements: [Int] = []
        for minute in 0..<120 {
            let name = DomainName("_25._tcp.mx\(minute).evil.test")
            let instant = start + .seconds(60 * minute)
            _ = renewed.renewed(DNSQuestion(name, .tlsa), until: self.later)
            guard renewed.asked(DNSQuestion(name, .tlsa), at: instant, self.now) == .replaceFirst else { continue }
            renewed.replaced(at: instant)
            replacements.append(minute)
        }
        #expect(replacements == [0, 60])
        _ = renewed.renewed(self.one, until: self.later)
        #expect(renewed.asked(self.one, at: start + .seconds(7_200), self.now) == .replaceFirst)
    }

    @Test("No more questions are remembered than the limit says: then the child is replaced (field D6)")
    func most() throws {
        var renewed = RenewedQuestions()
        var isFull = false
        for number in 1..<RenewedQuestions.most where !isFull {
            let question = DNSQuestion(DomainName("mx\(number).test"), .tlsa)
            isFull = renewed.renewed(question, until: self.later)
        }
        #expect(!isFull)
        isFull = renewed.renewed(self.one, until: self.later)
        #expect(isFull)
        renewed.replaced(at: .now)
        isFull = renewed.renewed(self.one, until: self.later)
        #expect(!isFull)
    }
}

@Suite("Answers that were mended", .timeLimit(.minutes(2)))
struct MendedAnswersTests {
    private static let question = DNSQuestion("_25._tcp.mx.alpha.test", .tlsa)

    private static func tlsa(_ byte: UInt8, timeToLive: UInt32) -> LabRecord {
        var record = LabRecord.tlsa("mx.alpha.test", 3, 1, 1, Array(repeating: byte, count: 32))
        record.timeToLive = timeToLive
        return record
    }

    private static func answer(_ byte: UInt8) -> DNSAnswer {
        .found(
            [
                .tlsa(
                    TLSARecord(
                        usage: .daneEE, selector: .spki, matchingType: .sha256,
                        associationData: Array(repeating: byte, count: 32)))
            ], .secure)
    }

    /// A resolver that knows a record for an hour, in whose place another stands by now.
    private func withMended(timeToLive: UInt32, _ body: (SecureResolver) async throws -> Void) async throws {
        let zone = LabZone("alpha.test", .signed, [.mx("mx.alpha.test"), Self.tlsa(1, timeToLive: 3_600)])
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            #expect(await resolver.answer(to: Self.question) == Self.answer(1))
            try await internet.update("alpha.test", [.mx("mx.alpha.test"), Self.tlsa(2, timeToLive: timeToLive)])
            #expect(await resolver.answer(to: Self.question) == Self.answer(1))
            try await body(resolver)
            await resolver.shutdown()
        }
    }

    @Test("What was asked anew does not give way to what libunbound still knows, once its own TTL is over (field D6)")
    func noReturn() async throws {
        try await self.withMended(timeToLive: 1) { resolver in
            #expect(await resolver.renew(Self.question) == .renewed)
            #expect(await resolver.answer(to: Self.question) == Self.answer(2))
            while resolver.cached(Self.question) != nil { try await Task.sleep(for: .milliseconds(100)) }
            #expect(await resolver.answer(to: Self.question) == Self.answer(2))
        }
    }

    @Test("A name that is to be looked up anew is asked past both caches, and others stay known (field D6)")
    func forgotten() async throws {
        try await self.withMended(timeToLive: 3_600) { resolver in
            let other = DNSQuestion("alpha.test", .mx)
            _ = await resolver.answer(to: other)
            var outdated = OutdatedAnswers()
            outdated.insert("mx.alpha.test", isZone: false)
            resolver.forget(outdated)
            #expect(resolver.cached(Self.question) == nil)
            #expect(resolver.cached(other) != nil)
            #expect(await resolver.answer(to: Self.question) == Self.answer(2))
        }
    }
}
