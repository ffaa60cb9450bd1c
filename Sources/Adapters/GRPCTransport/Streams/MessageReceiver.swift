import GRPCCore
import NIOCore

/// What the application gives back when it takes a message.
struct Receipt: Hashable, Sendable {
    /// The stream that the message came by.
    var key: StreamKey
    /// Its bytes, which counted as unread.
    var unread: Int
    /// The bytes to consume for its stream.
    var window: Int
    /// The bytes of its reservation.
    var reserved: Int
}

/// Number of a stream within a connection, from before it has one in HTTP/2.
typealias StreamKey = UInt64

/// Takes the messages of one stream, and says what becomes of its window (`ReceiveBudget` tells why).
struct MessageReceiver: Sendable {
    enum Step: Hashable {
        case message([UInt8], Receipt)
        /// A large message has begun: ask for a reservation of its length.
        case reserve(Int)
        /// All bytes are taken; consume so many for the stream.
        case done(consume: Int)
    }

    private enum Reservation: Hashable {
        case none
        case asked
        case granted(Int)
    }

    let key: StreamKey
    private let largeBytes: Int
    private var decoder: MessageDecoder
    /// Bytes of the unfinished message that are not consumed.
    private var held = 0
    private var reservation = Reservation.none

    init(key: StreamKey, messageLimit: Int, window: Int) {
        self.key = key
        self.largeBytes = window / 4
        self.decoder = MessageDecoder(limit: messageLimit)
    }

    var isWithinMessage: Bool { self.decoder.isWithinMessage }

    /// Goes on with these bytes; call it until it gives `done`.
    mutating func next(_ bytes: inout ByteBuffer) throws(RPCError) -> Step {
        let before = bytes.readableBytes
        let message = try self.decoder.next(&bytes)
        self.held += before - bytes.readableBytes
        guard let message else { return self.paused() }
        defer {
            self.held = 0
            self.reservation = .none
        }
        let size = message.count + MessageFraming.prefixBytes
        // A reservation that was asked for and not granted is forgotten with the message, by who keeps the budget.
        return .message(
            message, Receipt(key: self.key, unread: size, window: self.held, reserved: self.grantedBytes))
    }

    private mutating func paused() -> Step {
        switch self.reservation {
        case .none:
            guard let length = self.decoder.announced, length > self.largeBytes else { return .done(consume: 0) }
            self.reservation = .asked
            return .reserve(length)
        case .asked: return .done(consume: 0)
        case .granted: return .done(consume: self.takeHeld())
        }
    }

    /// The reservation is granted; gives the bytes to consume for the stream.
    mutating func granted() -> Int {
        guard case .asked = self.reservation, let length = self.decoder.announced else { return 0 }
        self.reservation = .granted(length)
        return self.takeHeld()
    }

    private mutating func takeHeld() -> Int {
        defer { self.held = 0 }
        return self.held
    }

    /// The bytes of the reservation that this stream has.
    var grantedBytes: Int { if case .granted(let bytes) = self.reservation { bytes } else { 0 } }

    /// Whether it waits for a reservation.
    var isWaiting: Bool { self.reservation == .asked }
}
