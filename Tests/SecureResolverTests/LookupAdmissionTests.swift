import DNSModel
import MailModel
import TestLiterals
import Testing

@testable import SecureResolver

/// Which look-ups begin beside others that nobody answers.
@Suite("Look-ups that may begin")
struct LookupAdmissionTests {
    private static let now = Timestamp(seconds: 1_000_000)
    private static let timeout = TimedAnswer(answer: .failed(.timeout), lifetime: .zero)
    private static let kind = ResolverStatistics.QueryKind(type: .mx, security: .failed, rcode: "timeout")

    private static func mx(_ name: String) throws -> DNSQuestion { DNSQuestion(try #require(DomainName(name)), .mx) }

    /// How many look-ups begin of these, one after the other, while none ends.
    private static func begin(_ questions: [DNSQuestion], _ admission: inout LookupAdmission) -> [DNSQuestion] {
        questions.filter { admission.begin($0) == nil }
    }

    @Test(
        "More names than there are slots said nothing before: a quarter stays for the first question of others (field A4)"
    )
    func silentNames() throws {
        var inFlight = InFlightLookups<Int>(
            cache: AnswerCache(maximumEntries: 10, maximumBytes: 1 << 20), maximumLookups: 8_192)
        let silent = try (0..<10_000).map { try Self.mx("d\($0).dead\($0).test") }
        func ask(_ question: DNSQuestion) -> InFlightLookups<Int>.Knowledge? {
            guard case .begin(let knowledge) = inFlight.asked(question, by: 0, 0, at: Self.now) else { return nil }
            return knowledge
        }
        // They say nothing, a thousand at a time.
        for start in stride(from: 0, to: silent.count, by: 1_000) {
            for question in silent[start..<start + 1_000] {
                let knowledge = try #require(ask(question))
                _ = inFlight.ended(
                    question, Self.timeout, Self.kind, took: .seconds(30), of: knowledge, at: Self.now)
            }
        }
        let begun = silent.compactMap(ask)
        #expect(begun.count == 6_144)
        #expect(inFlight.snapshot.queriesUnderWay == 6_144)
        #expect(inFlight.snapshot.refusals == [.silent: 10_000 - 6_144])
        #expect(!inFlight.isSaturated, "a time-out stays the domain's own")
        for number in 0..<2_048 { #expect(ask(try Self.mx("alive\(number).test")) != nil) }
        #expect(ask(try Self.mx("one-more.test")) == nil)
        #expect(inFlight.snapshot.refusals[.all] == 1)
    }

    @Test("A name that is answered is silent no more; a failure that comes soon is no silence (field A4)")
    func answered() throws {
        var admission = LookupAdmission(slots: 4)
        let names = try (0..<4).map { try Self.mx("d\($0).test") }
        for name in names {
            #expect(admission.begin(name) == nil)
            admission.ended(name, isAnswered: false, took: .seconds(2))
        }
        #expect(Self.begin(names, &admission) == Array(names.prefix(3)))
        admission.ended(names[0], isAnswered: true, took: .seconds(5))
        for name in names[1...2] { admission.ended(name, isAnswered: false, took: .seconds(5)) }
        #expect(admission.count == 0)
        #expect(Self.begin(names, &admission) == names, "three are silent, and one is not")
        let soon = try Self.mx("soon.test")
        admission.ended(names[0], isAnswered: true, took: .zero)
        #expect(admission.begin(soon) == nil)
        admission.ended(soon, isAnswered: false, took: .milliseconds(1_999))
        #expect(admission.begin(soon) == nil)
    }

    @Test(
        "The names of one domain get half of the slots, those below a longer name a quarter, and others find one (field A4)"
    )
    func domains() throws {
        var admission = LookupAdmission(slots: 8_192)
        let below = try (0..<8_192).map { try Self.mx("x\($0).evil.co.test") }
        #expect(Self.begin(below, &admission).count == 2_048)
        let beside = try (0..<8_192).map { try Self.mx("evil\($0).co.test") }
        #expect(Self.begin(beside, &admission).count == 2_048)
        #expect(admission.begin(try Self.mx("mail.co.test")) == .domain)
        // Whoever has nothing under way finds a slot until there is none.
        let others = try (0..<4_096).map { try Self.mx("other\($0).test") }
        #expect(Self.begin(others, &admission) == others)
        #expect(admission.begin(try Self.mx("one-more.test")) == .all)
        for question in others { admission.ended(question, isAnswered: true, took: .zero) }
        #expect(admission.count == 4_096)
    }

    @Test("A name of one label is a domain, and so is what stands below it with a service name (field A4)")
    func shortNames() throws {
        var admission = LookupAdmission(slots: 3)
        for name in ["test", "_tcp.test", "_25._tcp.mx.alpha.test"] {
            #expect(admission.begin(try Self.mx(name)) == nil)
        }
        for name in ["test", "_tcp.test", "_25._tcp.mx.alpha.test"] {
            admission.ended(try Self.mx(name), isAnswered: true, took: .zero)
        }
        #expect(admission.count == 0)
    }

    @Test("Of more silent names than are remembered, those that fell silent longest ago are forgotten (field A4)")
    func memory() throws {
        var admission = LookupAdmission(slots: 4)
        let names = try (0...LookupAdmission.mostRemembered).map { try Self.mx("d\($0).test") }
        for name in names {
            _ = admission.begin(name)
            admission.ended(name, isAnswered: false, took: .seconds(30))
        }
        // Three of the last take what silent names may have.
        #expect(Self.begin(Array(names.suffix(3)), &admission).count == 3)
        #expect(admission.begin(names[names.count - 4]) == .silent)
        #expect(admission.begin(names[0]) == nil)
    }
}
