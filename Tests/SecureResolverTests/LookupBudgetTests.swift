import DNSModel
import MailModel
import TestLiterals
import Testing

@testable import SecureResolver

@Suite("Which budget a look-up passed")
struct LookupBudgetTests {
    private static func line(_ question: String, _ reason: String) -> [UInt8] {
        Array("[1795996800] libunbound[7:0] error: SERVFAIL <\(question) IN>: \(reason)\n".utf8)
    }

    private static let restarts =
        "request has exceeded the maximum number restarts (eg. indirections) stop at x.evil.test."

    @Test("A failure is told by the budget that libunbound's log names, once, and not by another question's (field 0)")
    func log() {
        var log = FailureLog()
        let lines =
            Self.line("Evil.test. A", Self.restarts)
            + Self.line("evil.test. MX", "exceeded the maximum number of sends")
        // Byte by byte, as a stream may hand it over.
        #expect(lines.allSatisfy { log.read([$0]).isEmpty })
        #expect(log.take("evil.test.", 28) == nil)
        #expect(log.take("evil.test.", 1) == .aliases)
        #expect(log.take("evil.test.", 1) == nil, "once")
        #expect(log.take("evil.test.", 15) == .questions)
        #expect(log.read(Self.line("evil.test. A", "upstream server timeout")).isEmpty)
        #expect(log.take("evil.test.", 1) == nil, "another reason")
    }

    @Test("What libunbound logs besides is passed on, and what it tells in its answers is not (field 0)")
    func others() {
        var log = FailureLog()
        let error = Array("[1] libunbound[7:0] error: out of memory\n".utf8)
        #expect(log.read(error) == error)
        #expect(
            log.read(Array("[1] libunbound[7:0] info: validation failure <evil.test. A IN>: no keys\n".utf8)).isEmpty)
        let long = log.read([UInt8](repeating: 65, count: 100_000) + [10])
        #expect(long.count == 4097 && long.last == 10, "\(long.count)")
    }

    @Test("No flood of failures takes more memory than so many (field 0)")
    func capacity() {
        var log = FailureLog()
        for number in 0...FailureLog.capacity { _ = log.read(Self.line("n\(number).test. A", Self.restarts)) }
        #expect(log.take("n\(FailureLog.capacity).test.", 1) == .aliases)
        #expect(log.take("n0.test.", 1) == nil, "all before it are forgotten")
    }

    @Test(
        "A budget that was passed is a failure of the zone's, told by name (field 0)", arguments: LookupBudget.allCases)
    func reading(_ budget: LookupBudget) {
        let raw = RawAnswer(rcode: 2, isSecure: false, packet: [], passed: budget)
        #expect(ResolverMessage.report(ResolverMessage.bytes(.answer(1, raw))) == .answer(1, raw))
        let reading = AnswerReading(maximumRecords: 100, maximumAliases: 16, anchors: [])
        let answer = reading.read(raw, to: .init("evil.test", .a), at: Timestamp(microseconds: 0))
        #expect(answer == TimedAnswer(answer: .failed(.excessive("\(budget)")), lifetime: .seconds(60)))
    }

    @Test("Only what failed may have passed a budget, and only one that there is (field 0)")
    func malformed() {
        func report(flags: UInt8, rcode: UInt8) -> ResolverReport? {
            ResolverMessage.report([18] + [UInt8](repeating: 0, count: 8) + [flags, 0, rcode, 0, 0])
        }
        #expect(report(flags: 0x10, rcode: 2) != nil)
        #expect(report(flags: 0x10, rcode: 0) == nil)
        #expect(report(flags: 0x11, rcode: 2) == nil)
        #expect(report(flags: 0x12, rcode: 2) == nil)
        #expect(report(flags: 0xF0, rcode: 2) == nil)
    }
}
