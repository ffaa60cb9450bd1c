import DNSModel
import DeliveryQueue
import MailModel
import SMTPProtocol
import TestLiterals
import Testing

@testable import Delivery

/// Lives of one message whose recipients' DNS and hosts change between the attempts, each as it is at that time.
@Suite("Change of DNS and hosts between attempts")
struct ChangingWorldTests {
    private static let tlsa = DNSQuestion("_25._tcp.mx1.bravo.test", .tlsa)
    private static let mx = DNSQuestion("bravo.test", .mx)

    /// Attempts one after another, each at its time, until no recipient is left; what each came to.
    private func live(_ worlds: [RecipientWorld], startingAt hours: Int64 = 0) -> [String] {
        let arrival = Timestamp(seconds: 0)
        var now = arrival + .seconds(hours * 3600)
        var told: [String] = []
        for (index, world) in worlds.enumerated() {
            let decision = EntryDecision(
                world.attempt().outcomes, schedule: .standard, attempts: index + 1, arrival: arrival, now: now)
            told.append("\(now.microseconds / 60_000_000) min: \(Self.words(decision.recipients[0]))")
            guard let next = decision.nextAttempt else { break }
            now = next
        }
        return told
    }

    private static func words(_ decision: RecipientDecision) -> String {
        switch decision {
        case .delivered: "delivered"
        case .retry(_, let failure): "\(failure.status) \(failure.reason)"
        case .bounce(let failure, let reason): "\(reason) \(failure.status) \(failure.reason)"
        }
    }

    @Test(
        "Unsigned and unreachable, then signed with a wrong key, then bogus, then mended: each attempt goes by its own DNS"
    )
    func changes() {
        let told = self.live([
            RecipientWorld(["mx1.bravo.test": .refusesConnection], isSigned: false),
            RecipientWorld(["mx1.bravo.test": .showsOtherKey]),
            RecipientWorld(["mx1.bravo.test": .takes], without: [Self.mx: .failed(.bogus("expired"))]),
            RecipientWorld(["mx1.bravo.test": .takes]),
        ])
        #expect(
            told == [
                "0 min: 4.4.1 connection-refused", "15 min: 4.7.323 tlsa-invalid", "30 min: 4.7.324 dnssec-invalid",
                "90 min: delivered",
            ])
    }

    @Test("What was delivered in clear to an unsigned host is not, once the zone is signed")
    func becomesSigned() {
        let told = self.live([
            RecipientWorld(["mx1.bravo.test": .answers([.deferred(.busy)])], isSigned: false),
            RecipientWorld(["mx1.bravo.test": .offersNoTLS]),
            RecipientWorld(["mx1.bravo.test": .offersNoTLS], isSigned: false),
        ])
        #expect(
            told == [
                "0 min: 4.2.1 remote-reply", "15 min: 4.7.321 starttls-not-supported", "30 min: delivered",
            ])
    }

    @Test("A DANE failure on the second day, of a message that failed for other reasons before, is the end")
    func signedTooLate() {
        let told = self.live(
            [
                RecipientWorld(["mx1.bravo.test": .refusesConnection], isSigned: false),
                RecipientWorld(["mx1.bravo.test": .showsOtherKey]),
            ], startingAt: 30)
        #expect(told == ["1800 min: 4.4.1 connection-refused", "1815 min: expired 5.7.323 tlsa-invalid"])
    }

    @Test("A domain that is gone, or wants no mail any more, ends it at once")
    func gone() {
        let silent = RecipientWorld(["mx1.bravo.test": .refusesConnection])
        let gone = RecipientWorld([:], without: [Self.mx: .absent(.nameError, .secure)])
        #expect(self.live([silent, gone]).last == "15 min: refused 5.1.2 no-such-domain")
        let nullMX = RecipientWorld([:], without: [Self.mx: .found([.mx(preference: 0, exchange: nil)], .secure)])
        #expect(self.live([silent, nullMX]).last == "15 min: refused 5.1.10 null-mx")
        #expect(nullMX.attempt().finding(sender: "alice@alpha.test") == .answered)
    }

    // MARK: - Over all hosts

    @Test(
        "Rule 24: over all hosts the most telling failure is told, whatever their order; a host that takes the mail wins"
    )
    func overHosts() {
        let second: DomainName = "mx2.bravo.test"
        let worlds: [(RecipientWorld, String)] = [
            (RecipientWorld(["mx1.bravo.test": .refusesConnection, second: .showsOtherKey]), "4.7.323 tlsa-invalid"),
            (RecipientWorld(["mx1.bravo.test": .showsOtherKey, second: .refusesConnection]), "4.7.323 tlsa-invalid"),
            (
                RecipientWorld(
                    ["mx1.bravo.test": .takes, second: .offersNoTLS], without: [Self.tlsa: .failed(.serverFailure)]),
                "4.7.321 starttls-not-supported"
            ),
            (
                RecipientWorld(
                    ["mx1.bravo.test": .takes, second: .refusesConnection], without: [Self.tlsa: .failed(.timeout)]),
                "4.7.324 dnssec-invalid"
            ),
            (
                RecipientWorld(["mx1.bravo.test": .greets(.busy), second: .refusesConnection], isSigned: false),
                "4.2.1 remote-reply"
            ),
            (RecipientWorld(["mx1.bravo.test": .showsOtherKey, second: .takes]), "delivered"),
        ]
        for (world, told) in worlds { #expect(self.live([world]) == ["0 min: \(told)"]) }
    }

    @Test("Each recipient has its own answer, and the next host is asked for those who have none")
    func partial() {
        let world = RecipientWorld(
            [
                "mx1.bravo.test": .greets(.busy),
                "mx2.bravo.test": .answers([.accepted(.accepted), .deferred(.busy), .refused(.unknownUser)]),
            ], isSigned: false)
        let report = world.attempt(recipients: 3)
        let decision = EntryDecision(
            report.outcomes, schedule: .standard, attempts: 1, arrival: Timestamp(seconds: 0),
            now: Timestamp(seconds: 0))
        #expect(
            decision.recipients.map(Self.words) == [
                "delivered", "4.2.1 remote-reply", "refused 5.1.1 remote-reply",
            ])
        #expect(report.finding(sender: "alice@alpha.test") == .answered)
    }

    @Test("What concerns the whole destination blocks it, with the reason of the most telling host")
    func findings() {
        let second: DomainName = "mx2.bravo.test"
        let dead = RecipientWorld(["mx1.bravo.test": .refusesConnection, second: .showsOtherKey]).attempt()
        guard case .failed(let failure) = dead.finding(sender: "alice@alpha.test") else {
            Issue.record("\(dead.finding(sender: "alice@alpha.test"))")
            return
        }
        #expect(failure.status.description == "4.7.323" && failure.host == "mx2.bravo.test")
        #expect(
            RecipientWorld(["mx1.bravo.test": .refusesConnection, second: .takes]).attempt().finding(
                sender: "alice@alpha.test") == .answered)
    }
}
