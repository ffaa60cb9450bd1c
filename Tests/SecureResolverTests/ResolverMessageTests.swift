import Testing

@testable import SecureResolver

@Suite("What a node and its resolver say to each other")
struct ResolverMessageTests {
    private static let raw = RawAnswer(rcode: 3, isSecure: true, packet: Array(0...99))
    private static let reports: [ResolverReport] = [
        .ready("1.17.1"), .refused("no anchor"), .failed(9, "out of memory"), .pong(UInt64(Int64.max)),
        .answer(1, raw), .answer(.max, RawAnswer(rcode: 0, isSecure: false, bogusReason: "no keys", packet: [])),
        .answer(2, RawAnswer(rcode: 0, isSecure: false, bogusReason: "", packet: [1])),
    ]
    private static let requests: [ResolverRequest] = [
        .start(.init(memory: 1 << 40, descriptors: 4096, isLockedIn: true)),
        .question(3, name: "_25._tcp.mx.alpha.test", type: 52), .question(4, name: "", type: 6), .withdraw(3),
        .ping(8),
    ]

    @Test("Each message is read as it was written, and no part of it as anything (field 0)")
    func roundTrip() {
        for report in Self.reports {
            let bytes = ResolverMessage.bytes(report)
            #expect(ResolverMessage.report(bytes) == report)
            #expect(ResolverMessage.request(bytes) == nil)
        }
        for request in Self.requests {
            let bytes = ResolverMessage.bytes(request)
            #expect(ResolverMessage.request(bytes) == request)
            #expect(ResolverMessage.report(bytes) == nil)
        }
        for bytes: [UInt8] in [
            [], [18], [18] + Array(repeating: 0, count: 12), [19, 0, 0], [255, 1, 2, 3, 4, 5, 6, 7, 8],
        ] {
            #expect(ResolverMessage.report(bytes) == nil)
        }
    }

    @Test("What is too long, out of range or contradictory is no message (field 0)")
    func limits() {
        let id: [UInt8] = Array(repeating: 0, count: 8)
        func answer(flags: UInt8, rcode: UInt16 = 0, reason: Int = 0, rest: Int = 0) -> ResolverReport? {
            ResolverMessage.report(
                [18] + id + [flags, UInt8(rcode >> 8), UInt8(rcode & 255), UInt8(reason >> 8), UInt8(reason & 255)]
                    + Array(repeating: 65, count: rest))
        }
        #expect(answer(flags: 3) == nil, "secure and bogus")
        #expect(answer(flags: 4) == nil)
        #expect(answer(flags: 0, rcode: 4096) == nil)
        #expect(answer(flags: 2, reason: 10, rest: 9) == nil, "a reason that goes beyond the end")
        #expect(answer(flags: 2, reason: 1025, rest: 2000) == nil)
        #expect(answer(flags: 1, reason: 5, rest: 9) == nil, "a reason for what is not bogus")
        #expect(answer(flags: 0, rest: 65_536) == nil)
        #expect(answer(flags: 0, rest: 65_535) != nil)
        #expect(ResolverMessage.report([16] + Array(repeating: 65, count: 1025)) == nil)
        #expect(ResolverMessage.report([20] + id + [0]) == nil, "something behind the end")
        #expect(ResolverMessage.request([2] + id + [0, 1] + Array(repeating: 65, count: 255)) == nil)
        // Whoever writes cuts.
        let long = ResolverMessage.bytes(.refused(String(repeating: "x", count: 5000)))
        #expect(ResolverMessage.report(long) == .refused(String(repeating: "x", count: 1024)))
    }

    @Test("Text that a zone's owner chose cannot reach a terminal (field 0)")
    func text() {
        #expect(ResolverMessage.report([17, 0x1B, 0x5B, 0x41, 0x0A, 0xC3, 0xBC]) == .refused("?[A???"))
    }

    @Test("A child's lines come whole, short and not too many (field 0)")
    func log() {
        let start = ContinuousClock.now
        var log = ChildLog(at: start)
        #expect(log.read(Array("error: out".utf8), at: start) == [])
        #expect(log.read(Array(" of memory\n\u{1B}[2J\n\n".utf8), at: start) == ["error: out of memory", "?[2J"])
        let long = log.read(Array(repeating: 65, count: 100_000) + [10], at: start)
        #expect(long == [String(repeating: "A", count: 512)])
        let many = (0..<100).flatMap { _ in Array("x\n".utf8) }
        #expect(log.read(many, at: start).count == 17)
        #expect(log.read(many, at: start).isEmpty)
        #expect(log.read(Array("y\n".utf8), at: start + .seconds(10)) == ["183 lines were left out", "y"])
    }
}
