import GRPCCore
import NIOCore

/// Writes messages with their prefix: a flag byte and a length of 32 bits (control 19).
enum MessageFraming {
    static let prefixBytes = 5

    static func frame(_ message: [UInt8]) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: Self.prefixBytes + message.count)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(message.count))
        buffer.writeBytes(message)
        return buffer
    }
}

/// Takes messages out of the bytes of a stream, however these are cut. It holds one unfinished message at most, and grows with
/// what has come, not with what was announced.
struct MessageDecoder: Sendable {
    private enum State {
        case prefix([UInt8])
        case body(length: Int, [UInt8])
    }

    /// The most bytes of a message.
    let limit: Int
    private var state = State.prefix([])

    init(limit: Int) { self.limit = limit }

    /// Whether the bytes so far end in the middle of a message.
    var isWithinMessage: Bool {
        if case .prefix(let bytes) = self.state { !bytes.isEmpty } else { true }
    }

    /// The announced length of the message that has begun.
    var announced: Int? {
        if case .body(let length, _) = self.state { length } else { nil }
    }

    /// Takes bytes up to the end of a message, and gives that message; `nil` once all bytes are taken.
    ///
    /// - Throws: the status that ends the call: INTERNAL for a compressed message, RESOURCE_EXHAUSTED for one beyond the limit,
    ///   told by its prefix.
    mutating func next(_ bytes: inout ByteBuffer) throws(RPCError) -> [UInt8]? {
        if case .prefix(let begun) = self.state { try self.readPrefix(begun, &bytes) }
        guard case .body(let length, var body) = self.state else { return nil }
        // Drops the state's reference, so that the body grows in place.
        self.state = .prefix([])
        if let more = bytes.readBytes(length: min(length - body.count, bytes.readableBytes)) { body += more }
        guard body.count < length else { return body }
        self.state = .body(length: length, body)
        return nil
    }

    private mutating func readPrefix(_ begun: [UInt8], _ bytes: inout ByteBuffer) throws(RPCError) {
        let missing = MessageFraming.prefixBytes - begun.count
        let prefix = begun + (bytes.readBytes(length: min(missing, bytes.readableBytes)) ?? [])
        guard prefix.count == MessageFraming.prefixBytes else {
            self.state = .prefix(prefix)
            return
        }
        guard prefix[0] == 0 else {
            throw RPCError(code: .internalError, message: "a message is compressed, but no grpc-encoding was named")
        }
        let length = prefix[1...].reduce(0) { $0 << 8 | Int($1) }
        guard length <= self.limit else {
            throw RPCError(
                code: .resourceExhausted, message: "a message of \(length) bytes is beyond the limit of \(self.limit)")
        }
        self.state = .body(length: length, [])
    }
}
