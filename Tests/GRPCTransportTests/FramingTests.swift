import GRPCCore
import NIOCore
import Testing

@testable import GRPCTransport

/// Messages and their prefixes (control 19), and the windows that they open (control 29).
@Suite("Messages on a stream")
struct FramingTests {
    private func decode(_ parts: [[UInt8]], limit: Int = 100) throws -> [[UInt8]] {
        var decoder = MessageDecoder(limit: limit)
        var messages: [[UInt8]] = []
        for part in parts {
            var buffer = ByteBuffer(bytes: part)
            while let message = try decoder.next(&buffer) { messages.append(message) }
            #expect(buffer.readableBytes == 0)
        }
        return messages
    }

    @Test("control 19: messages come out whole, byte by byte as at once")
    func cuts() throws {
        let messages: [[UInt8]] = [[], [1], [UInt8](repeating: 7, count: 100), [], [2, 3]]
        let bytes = messages.flatMap { Array(MessageFraming.frame($0).readableBytesView) }
        #expect(try self.decode([bytes]) == messages)
        #expect(try self.decode(bytes.map { [$0] }) == messages)
        for cut in 0...bytes.count {
            #expect(try self.decode([Array(bytes[..<cut]), Array(bytes[cut...])]) == messages)
        }
    }

    @Test("control 19: the compressed flag without grpc-encoding is INTERNAL")
    func compressed() {
        for flag in [UInt8(1), 2, 255] {
            let error = #expect(throws: RPCError.self) { try self.decode([[flag, 0, 0, 0, 1, 0]]) }
            #expect(error?.code == .internalError)
        }
    }

    @Test("control 19: a message beyond the limit is RESOURCE_EXHAUSTED by its prefix, before its body")
    func tooLarge() throws {
        #expect(try self.decode([[0, 0, 0, 0, 100] + [UInt8](repeating: 1, count: 100)]).count == 1)
        for prefix in [[0, 0, 0, 0, 101], [0, 255, 255, 255, 255]] as [[UInt8]] {
            let error = #expect(throws: RPCError.self) { try self.decode([prefix]) }
            #expect(error?.code == .resourceExhausted)
        }
    }

    @Test("control 19: an announced length takes no memory before its bytes")
    func announced() throws {
        var decoder = MessageDecoder(limit: 1 << 30)
        var buffer = ByteBuffer(bytes: [0, 0x3F, 0xFF, 0xFF, 0xFF, 1])
        #expect(try decoder.next(&buffer) == nil)
        #expect(decoder.announced == 0x3FFF_FFFF)
        #expect(decoder.isWithinMessage)
    }

    // MARK: Windows

    @Test("control 29: a small message opens its stream's window when it is taken, a large one as it comes")
    func windows() throws {
        var receiver = MessageReceiver(key: 1, messageLimit: 1_000, window: 100)
        var small = MessageFraming.frame([UInt8](repeating: 0, count: 20))
        #expect(
            try receiver.next(&small)
                == .message(
                    [UInt8](repeating: 0, count: 20), Receipt(key: 1, unread: 25, window: 25, reserved: 0)))
        #expect(try receiver.next(&small) == .done(consume: 0))
        var large = MessageFraming.frame([UInt8](repeating: 0, count: 90))
        var first = large.readSlice(length: 50) ?? ByteBuffer()
        #expect(try receiver.next(&first) == .reserve(90))
        #expect(try receiver.next(&first) == .done(consume: 0))
        #expect(receiver.isWaiting)
        #expect(receiver.granted() == 50)
        var second = large.readSlice(length: 40) ?? ByteBuffer()
        #expect(try receiver.next(&second) == .done(consume: 40))
        #expect(
            try receiver.next(&large)
                == .message(
                    [UInt8](repeating: 0, count: 90), Receipt(key: 1, unread: 95, window: 5, reserved: 90)))
    }

    @Test("control 29: the connection's window stays open for whoever reads, and closes for messages that nobody takes")
    func connectionWindow() {
        var budget = ReceiveBudget(unreadLimit: 100, reservedLimit: 50)
        #expect(budget.received(60) == 60)
        budget.completed(60)
        #expect(budget.received(60) == 60)
        budget.completed(60)
        // 120 bytes wait: what comes now is not consumed, until the application takes something.
        #expect(budget.received(10) == 0)
        #expect(budget.received(5) == 0)
        #expect(budget.taken(60) == 15)
    }

    @Test("control 29: large messages get their reservation in turn, and the largest of all alone")
    func reservations() {
        var budget = ReceiveBudget(unreadLimit: 100, reservedLimit: 50)
        #expect(budget.reserve(200, for: 1) == true)
        #expect(budget.reserve(20, for: 2) == false)
        #expect(budget.reserve(20, for: 3) == false)
        #expect(budget.reserve(20, for: 4) == false)
        #expect(budget.free(200) == [2, 3])
        #expect(budget.forget(4) == [])
        #expect(budget.free(20) == [])
        #expect(budget.reserved == 20)
    }
}
