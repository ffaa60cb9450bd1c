import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

@testable import Delivery

@Suite("Whose fault it is when look-ups fail")
struct ResolverHealthTests {
    private let start = MonotonicInstant(nanoseconds: 1)

    private func hop(_ number: Int) -> NextHop { .domain(DomainName("d\(number).test")) }

    @Test("A domain in disorder makes five examinations in its first half minute, then one each half minute (field A6)")
    func pace() {
        var pace = ExaminationPace()
        #expect(pace.isDue(false, at: self.start))
        pace.examined(true, began: self.start, byFailure: false)
        var examinations: [Double] = []
        // A look-up fails four times a second, as those of a burst of mail do.
        for step in 1...480 {
            let now = self.start + .milliseconds(step * 250)
            guard pace.isDue(true, at: now) else { continue }
            examinations.append(Double(step) / 4)
            pace.examined(true, began: now, byFailure: true)
        }
        #expect(examinations.count { $0 <= 30 } <= 5, "\(examinations)")
        #expect(examinations.count <= 8, "\(examinations)")
    }

    @Test("A resolver that does not work is examined each second, until it does (field A6)")
    func recovery() {
        var pace = ExaminationPace()
        pace.examined(false, began: self.start, byFailure: true)
        #expect(!pace.isDue(false, at: self.start + .milliseconds(900)))
        #expect(pace.isDue(false, at: self.start + .seconds(1)))
        pace.examined(true, began: self.start + .seconds(1), byFailure: false)
        #expect(!pace.isDue(false, at: self.start + .seconds(30)))
        #expect(pace.isDue(false, at: self.start + .seconds(31)))
        #expect(
            pace.isDue(true, at: self.start + .seconds(1)), "the first failure is news, however lately all was well")
    }

    @Test(
        "Where several domains begin to fail and hardly any look-up goes well, the next examination is soon (field A6)")
    func jump() throws {
        var pace = ExaminationPace()
        pace.examined(true, began: self.start, byFailure: false)
        for second in [1, 3, 7, 15] { pace.examined(true, began: self.start + .seconds(second), byFailure: true) }
        pace.failed(self.hop(1))
        #expect(!pace.isDue(true, at: self.start + .seconds(17)), "one domain again and again")
        for number in 1...48 { pace.failed(self.hop(number)) }
        #expect(pace.isDue(true, at: self.start + .seconds(17)))
        for _ in 0..<50 { pace.noteSuccess() }
        #expect(!pace.isDue(true, at: self.start + .seconds(17)), "most go well")
    }

    @Test(
        "Most of ten distinct domains bogus within minutes is ours; a few of them, or one again and again, are not (field D1)"
    )
    func majority() throws {
        var share = BogusShare(at: self.start)
        for _ in 0..<100 { share.note(self.hop(1), isBogus: true, at: self.start) }
        #expect(!share.isOurs, "one domain a hundred times")
        for number in 2...9 { share.note(self.hop(number), isBogus: true, at: self.start) }
        #expect(!share.isOurs, "nine say nothing yet")
        share.note(self.hop(10), isBogus: true, at: self.start)
        #expect(share.isOurs)
        for number in 11...20 { share.note(self.hop(number), isBogus: false, at: self.start) }
        #expect(!share.isOurs, "half of them are in good order")
        share.note(self.hop(20), isBogus: true, at: self.start)
        #expect(share.isOurs)
        // Verdicts of more than five minutes ago do not count.
        share.note(self.hop(21), isBogus: false, at: self.start + .seconds(301))
        #expect(!share.isOurs)
        for number in 0..<10_000 {
            share.note(self.hop(100 + number), isBogus: false, at: self.start + .seconds(302))
        }
        #expect(!share.isOurs)
    }

    @Test("When as many domains as may be are remembered, the oldest verdict gives way, and not one that was renewed")
    func oldestVerdict() throws {
        var share = BogusShare(at: self.start)
        for number in 0..<BogusShare.mostDomains {
            let isBogus = (500..<3000).contains(number)
            share.note(self.hop(number), isBogus: isBogus, at: self.start + .milliseconds(number))
        }
        #expect(share.isOurs, "2500 of 4096")
        let later = self.start + .seconds(10)
        for number in 0..<500 { share.note(self.hop(number), isBogus: false, at: later) }
        for number in 5000..<5500 { share.note(self.hop(number), isBogus: false, at: later) }
        #expect(!share.isOurs, "2000 of 4096")
    }
}
