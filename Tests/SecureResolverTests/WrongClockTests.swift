import DNSModel
import LabDNS
import MailModel
import OperatingSystem
import TestLiterals
import Testing

@testable import SecureResolver

/// DNSSEC's proofs hold from one time of day to another, and so go wrong with the clock.
@Suite("A clock that is wrong, or was", .timeLimit(.minutes(3)))
struct WrongClockTests {
    private let day = Duration.seconds(86_400)

    @Test("hostile-input 26: once the clock was set back, what was known before is looked up anew")
    func setBack() async throws {
        let name: DomainName = "_25._tcp.late.test"
        func record(_ byte: UInt8) -> [LabRecord] { [.tlsa("late.test", 3, 1, 1, Array(repeating: byte, count: 32))] }
        func found(_ byte: UInt8) -> DNSAnswer {
            let data = Array(repeating: byte, count: 32)
            let record = TLSARecord(usage: .daneEE, selector: .spki, matchingType: .sha256, associationData: data)
            return .found([.tlsa(record)], .secure)
        }
        let zone = LabZone("late.test", .signed, record(1), defaultTTL: 3_600)
        try await LabInternet.withInternet([zone]) { internet in
            let clock = ManualClock(.systemNow)
            let resolver = try await LabInternet.resolver(internet, now: clock.now)
            #expect(await resolver.answer(to: .init(name, .tlsa)) == found(1))
            try await internet.update("late.test", record(2))
            #expect(await resolver.answer(to: .init(name, .tlsa)) == found(1), "known for as long as its TTL")
            clock.advance(by: .zero - self.day)
            #expect(await resolver.answer(to: .init(name, .tlsa)) == found(2))
            await resolver.shutdown()
        }
    }

    @Test(
        "TLSA records that are asked for past the caches take the place of those that were kept, once in a while (field D6)"
    )
    func renewed() async throws {
        let question = DNSQuestion("_25._tcp.late.test", .tlsa)
        func records(_ byte: UInt8) -> [LabRecord] { [.tlsa("late.test", 3, 1, 1, Array(repeating: byte, count: 32))] }
        let zone = LabZone("late.test", .signed, records(1), defaultTTL: 3_600)
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            let old = await resolver.answer(to: question)
            try await internet.update("late.test", records(2))
            #expect(await resolver.answer(to: question) == old)
            #expect(await resolver.renew(question) == .renewed)
            let new = await resolver.answer(to: question)
            #expect(new != old)
            guard case .found(_, .secure, _) = new else {
                Issue.record("\(new)")
                return
            }
            try await internet.update("late.test", records(3))
            guard case .kept(let end?) = await resolver.renew(question) else {
                Issue.record("asked twice at once")
                return
            }
            #expect(end > Timestamp.systemNow + .seconds(3_000))
            #expect(await resolver.answer(to: question) == new)
            await internet.stopServer()
            let other = DNSQuestion("_25._tcp.never.late.test", .tlsa)
            #expect(await resolver.renew(other) == .kept(until: nil), "a failure replaces nothing")
            await resolver.shutdown()
        }
    }

    @Test("hostile-input 26: signatures that begin half a day from now prove nothing, however long they last")
    func behind() async throws {
        let early = LabZone.Condition.signaturesEnd(after: .seconds(14 * 86_400 + 43_200))
        try await LabInternet.withInternet([LabZone("early.test", early, [.a("early.test", "192.0.2.1")])]) {
            internet in
            let resolver = try await LabInternet.resolver(internet)
            guard case .failed(.bogus) = await resolver.answer(to: .init("early.test", .a)) else {
                Issue.record("\(await resolver.answer(to: .init("early.test", .a)))")
                return
            }
            #expect(await resolver.selfTest() == .validating, "the root's clock and ours agree")
            await resolver.shutdown()
        }
        try await LabInternet.withInternet([LabZone(".", early)]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            guard case .notValidating = await resolver.selfTest() else {
                Issue.record("\(await resolver.selfTest())")
                return
            }
            await resolver.shutdown()
        }
    }

    @Test("A step of more than ten seconds in either direction is noticed once; time that passes is none")
    func watch() {
        let start = ContinuousClock.now
        let noon = Timestamp(seconds: 1_800_000_000)
        var watch = ClockWatch(noon, start)
        #expect(watch.step(noon + .seconds(5_000), start + .seconds(5_000)) == nil)
        #expect(watch.step(noon + .seconds(5_010), start + .seconds(5_000)) == nil)
        #expect(watch.step(noon + .seconds(4_989), start + .seconds(5_000)) == .seconds(-11))
        #expect(watch.step(noon + .seconds(4_990), start + .seconds(5_001)) == nil)
        #expect(watch.step(noon + .seconds(91_391), start + .seconds(5_002)) == .seconds(86_400))
        #expect(watch.step(noon + .seconds(91_392), start + .seconds(5_003)) == nil)
    }
}
