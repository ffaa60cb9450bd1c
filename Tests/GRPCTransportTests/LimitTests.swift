import GRPCCore
import NIOCore
import Testing

@testable import GRPCTransport

/// Limits and times as values, on a clock of the test's.
@Suite("Limits")
struct LimitTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    // MARK: Keepalive

    @Test("control 23: a server asks after 2 h without a byte and gives the peer 20 s")
    func keepalive() {
        var keepalive = Keepalive(.server, at: self.start)
        #expect(keepalive.check(at: self.start, hasCalls: false) == .wait(until: self.start + .hours(2)))
        let read = self.start + .minutes(90)
        keepalive.read(at: read)
        let due = read + .hours(2)
        #expect(keepalive.check(at: self.start + .hours(2), hasCalls: false) == .wait(until: due))
        #expect(keepalive.check(at: due, hasCalls: false) == .ping(until: due + .seconds(20)))
        #expect(keepalive.check(at: due + .seconds(19), hasCalls: false) == .wait(until: due + .seconds(20)))
        #expect(keepalive.check(at: due + .seconds(20), hasCalls: false) == .close)
    }

    @Test("control 23: any byte is a sign of life")
    func signOfLife() {
        var keepalive = Keepalive(.server, at: self.start)
        let due = self.start + .hours(2)
        _ = keepalive.check(at: due, hasCalls: true)
        keepalive.read(at: due + .seconds(19))
        #expect(
            keepalive.check(at: due + .seconds(20), hasCalls: true) == .wait(until: due + .seconds(19) + .hours(2)))
    }

    @Test("control 23: a client that is told to asks only while it has calls")
    func withoutCalls() {
        let limits = KeepaliveLimits(silence: .minutes(6), patience: .seconds(20), withoutCalls: false)
        var keepalive = Keepalive(limits, at: self.start)
        let due = self.start + .minutes(6)
        #expect(keepalive.check(at: due, hasCalls: false) == .wait(until: due + .minutes(6)))
        #expect(keepalive.check(at: due, hasCalls: true) == .ping(until: due + .seconds(20)))
    }

    @Test("control 23: pings more often than every 5 min without calls are two strikes, and then the end")
    func strikes() {
        var strikes = PingStrikes()
        let moments = (0...3).map { self.start + .minutes(Int64($0) * 4) }
        #expect(moments.map { strikes.received(at: $0, hasCalls: false) } == [true, true, true, false])
        var patient = PingStrikes()
        for count in 0..<20 {
            #expect(patient.received(at: self.start + .minutes(Int64(count) * 5), hasCalls: false) == true)
        }
    }

    @Test("control 23: pings beside calls, or after an answer, are no strikes")
    func innocentPings() {
        var strikes = PingStrikes()
        for count in 0..<20 {
            #expect(strikes.received(at: self.start + .seconds(Int64(count)), hasCalls: true) == true)
        }
        var answered = PingStrikes()
        for count in 0..<20 {
            #expect(answered.received(at: self.start + .seconds(Int64(count)), hasCalls: false) == true)
            answered.sentFrame()
        }
    }

    @Test("control 23: a client that is told too_many_pings waits twice as long, up to a day")
    func doubled() {
        var limits = KeepaliveLimits.client
        limits.double()
        #expect(limits.silence == .minutes(12))
        for _ in 0..<20 { limits.double() }
        #expect(limits.silence == .hours(24))
    }

    // MARK: Connections

    private var connectionLimits: ConnectionLimits {
        var limits = ConnectionLimits()
        limits.open = 3
        limits.new = Allowance(burst: 2, perSecond: 1)
        limits.refused = 1
        return limits
    }

    @Test("control 8: connections beyond a count or a rate are refused, and beyond a count of these closed")
    func connections() {
        var allowance = ConnectionAllowance(self.connectionLimits, at: self.start)
        #expect(allowance.judge(served: 0, refused: 0, at: self.start) == .serve)
        #expect(allowance.judge(served: 1, refused: 0, at: self.start) == .serve)
        #expect(allowance.judge(served: 2, refused: 0, at: self.start) == .refuse(.rate))
        #expect(allowance.judge(served: 2, refused: 1, at: self.start) == .close(.rate))
        let later = self.start + .seconds(1)
        #expect(allowance.judge(served: 3, refused: 0, at: later) == .refuse(.count))
        #expect(allowance.judge(served: 3, refused: 1, at: later) == .close(.count))
        // What was refused for the count's sake takes nothing of the rate.
        #expect(allowance.judge(served: 2, refused: 1, at: later) == .serve)
        #expect(allowance.judge(served: 2, refused: 0, at: later) == .refuse(.rate))
    }

    @Test("control 8: the delay that refused calls are told is spread")
    func retryDelay() {
        #expect(self.connectionLimits.delay(random: 0) == .seconds(5))
        #expect(self.connectionLimits.delay(random: 1) == .seconds(10))
    }

    // MARK: Calls

    @Test("control 22: a call begins again with all that was written, unless that was too much")
    func replay() {
        var replay = CallReplay(limit: 1_000)
        replay.record(.part(.metadata(["a": "b"])))
        replay.record(.part(.message([1, 2, 3])))
        replay.record(.finish)
        #expect(replay.mayMove)
        #expect(replay.items == [.part(.metadata(["a": "b"])), .part(.message([1, 2, 3])), .finish])
        var large = replay
        large.record(.part(.message([UInt8](repeating: 0, count: 900))))
        #expect(!large.mayMove && large.items.isEmpty)
        var answered = replay
        answered.stay()
        #expect(!answered.mayMove && answered.items.isEmpty)
    }

    // MARK: Budgets

    @Test("control 24: an allowance is a burst, and so many a second after it")
    func bucket() {
        var bucket = TokenBucket(Allowance(burst: 20, perSecond: 1), at: self.start)
        for _ in 0..<20 { #expect(bucket.take(at: self.start) == true) }
        #expect(bucket.take(at: self.start) == false)
        #expect(bucket.take(at: self.start + .milliseconds(900)) == false)
        #expect(bucket.take(at: self.start + .milliseconds(1_100)) == true)
        #expect(bucket.take(at: self.start + .milliseconds(1_200)) == false)
        // It never holds more than its burst.
        let later = self.start + .hours(1)
        for _ in 0..<20 { #expect(bucket.take(at: later) == true) }
        #expect(bucket.take(at: later) == false)
    }

    @Test(
        "control 24: each kind of frame has a budget of its own",
        arguments: [
            (FrameHeader(type: 0x3, flags: 0, length: 4), AbuseKind.resets, 20),
            (FrameHeader(type: 0x9, flags: 0, length: 9), .continuations, 16),
            (FrameHeader(type: 0x6, flags: 0, length: 8), .pings, 100),
            (FrameHeader(type: 0x4, flags: 0, length: 0), .settings, 50),
            (FrameHeader(type: 0x2, flags: 0, length: 5), .priorities, 100),
            (FrameHeader(type: 0x8, flags: 0, length: 4), .windowUpdates, 2_000),
            (FrameHeader(type: 0x0, flags: 0, length: 0), .emptyData, 100),
            (FrameHeader(type: 0xA, flags: 0, length: 0), .otherFrames, 100),
        ])
    func budgets(_ frame: FrameHeader, _ kind: AbuseKind, _ burst: Int) {
        var budgets = AbuseBudgets(AbuseLimits(), at: self.start)
        for _ in 0..<burst { #expect(budgets.received(frame, at: self.start) == nil) }
        #expect(budgets.received(frame, at: self.start) == kind)
        // The others are not touched by it.
        for other in AbuseKind.allCases where other != kind && other != .unreadFrames {
            #expect(budgets.charge(other, at: self.start) == nil)
        }
    }

    @Test("control 24: frames are found however the bytes are cut")
    func scanner() {
        let frames = [
            Frame.bytes(4), Frame.bytes(0, flags: 1, stream: 1, [1, 2, 3]), Frame.bytes(0xBE, [9]),
            Frame.bytes(6, [UInt8](repeating: 0, count: 8)),
        ]
        let bytes = [UInt8](repeating: 0, count: 24) + frames.flatMap(\.self)
        let expected = [
            FrameHeader(type: 4, flags: 0, length: 0), FrameHeader(type: 0, flags: 1, length: 3),
            FrameHeader(type: 0xBE, flags: 0, length: 1), FrameHeader(type: 6, flags: 0, length: 8),
        ]
        for size in 1...bytes.count {
            var scanner = FrameScanner(preface: 24)
            var found: [FrameHeader] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                let part = ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]).readableBytesView
                let refused = scanner.scan(part) {
                    found.append($0)
                    return true
                }
                #expect(refused == nil)
            }
            #expect(found == expected)
        }
        var scanner = FrameScanner(preface: 24)
        let refused = scanner.scan(ByteBuffer(bytes: bytes).readableBytesView) { $0.type != 0xBE }
        #expect(refused == 24 + 9 + 12)
    }

    @Test("control 24: data that ends a stream, data with bytes and headers cost nothing")
    func innocentFrames() {
        var budgets = AbuseBudgets(AbuseLimits(), at: self.start)
        for _ in 0..<10_000 {
            #expect(budgets.received(FrameHeader(type: 0, flags: 1, length: 0), at: self.start) == nil)
            #expect(budgets.received(FrameHeader(type: 0, flags: 0, length: 1), at: self.start) == nil)
            #expect(budgets.received(FrameHeader(type: 1, flags: 4, length: 9), at: self.start) == nil)
        }
    }

    @Test("control 24: what we send pays for the windows that it makes the peer open")
    func paidWindows() {
        var budgets = AbuseBudgets(AbuseLimits(), at: self.start)
        let update = FrameHeader(type: 0x8, flags: 0, length: 4)
        // 250 small messages in a frame, each of which opens two windows; but all of that comes later.
        for _ in 0..<20 { budgets.sentFrame(bytes: 16_000) }
        for _ in 0..<20 * 250 * 2 { #expect(budgets.received(update, at: self.start) == nil) }
    }

    // MARK: Reconnecting

    @Test("control 8: waits grow by 1.6 from 1 s to 120 s")
    func backoff() {
        var backoff = ReconnectBackoff()
        let waits = (0..<14).map { _ in Double(backoff.failed(random: 0.5).nanoseconds) / 1e9 }
        for (index, wait) in waits.enumerated() {
            var expected = 1.0
            for _ in 0..<index { expected *= 1.6 }
            #expect(abs(wait - min(expected, 120)) < 0.001)
        }
        backoff.succeeded()
        #expect(backoff.failed(random: 0.5) == .seconds(1))
    }

    @Test("control 8: a wait is up to a fifth shorter or longer")
    func jitter() {
        var (early, late) = (ReconnectBackoff(), ReconnectBackoff())
        #expect(early.failed(random: 0) == .milliseconds(800))
        #expect(late.failed(random: 1) == .milliseconds(1_200))
    }

    // MARK: The graceful end

    @Test("control 22: a second GOAWAY follows the PING's acknowledgement, and the end follows both")
    func drain() {
        var drain = GracefulDrain()
        #expect(!drain.isOver(openStreams: 0))
        #expect(drain.begin() == true)
        #expect(drain.begin() == false)
        // Nothing is open, but the second GOAWAY was not sent.
        #expect(!drain.isOver(openStreams: 0))
        #expect(drain.acknowledged(17) == false)
        #expect(drain.acknowledged(GracefulDrain.ping) == true)
        #expect(drain.acknowledged(GracefulDrain.ping) == false)
        #expect(!drain.isOver(openStreams: 1))
        #expect(drain.isOver(openStreams: 0))
    }
}
