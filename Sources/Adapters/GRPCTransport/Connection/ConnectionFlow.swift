import GRPCCore
import NIOCore

/// The session of one connection, with the account of what came and was not taken yet.
final class ConnectionFlow {
    let session: HTTP2Session
    let settings: ConnectionSettings
    private var budget: ReceiveBudget

    init(_ session: HTTP2Session, _ settings: ConnectionSettings) {
        self.session = session
        self.settings = settings
        self.budget = ReceiveBudget(unreadLimit: settings.unreadBytes, reservedLimit: settings.largeMessageBytes)
    }

    /// A receiver for a new stream.
    func receiver(_ key: StreamKey) -> MessageReceiver {
        MessageReceiver(key: key, messageLimit: self.settings.messageBytes, window: self.settings.http2.streamWindow)
    }

    /// Bytes came on whatever stream.
    func received(_ bytes: Int) { self.session.consumeConnection(self.budget.received(bytes)) }

    /// Bytes came that nobody wants.
    func drop(_ bytes: ByteBuffer, of stream: HTTP2StreamID) { self.session.consume(stream, bytes.readableBytes) }

    /// Bytes came on a stream; its messages are delivered. Gives the streams that may go on by it.
    ///
    /// - Throws: the violation that ends the call.
    func feed(
        _ bytes: ByteBuffer, to receiver: inout MessageReceiver, of stream: HTTP2StreamID,
        deliver: ([UInt8], Receipt) -> Void
    ) throws(RPCError) -> [StreamKey] {
        var bytes = bytes
        var granted: [StreamKey] = []
        while true {
            let wasWaiting = receiver.isWaiting
            switch try receiver.next(&bytes) {
            case .message(let message, let receipt):
                if wasWaiting { granted += self.budget.forget(receiver.key) }
                self.budget.completed(receipt.unread)
                deliver(message, receipt)
            case .reserve(let length):
                if self.budget.reserve(length, for: receiver.key) { self.session.consume(stream, receiver.granted()) }
            case .done(let consume):
                self.session.consume(stream, consume)
                return granted
            }
        }
    }

    /// The application took a message, or will take none; gives the streams that may go on by it.
    func taken(_ receipt: Receipt, of stream: HTTP2StreamID?) -> [StreamKey] {
        self.session.consumeConnection(self.budget.taken(receipt.unread))
        if let stream { self.session.consume(stream, receipt.window) }
        return receipt.reserved > 0 ? self.budget.free(receipt.reserved) : []
    }

    /// A stream is gone with its unfinished message; gives the streams that may go on by it.
    func gone(_ receiver: MessageReceiver) -> [StreamKey] {
        if receiver.grantedBytes > 0 { return self.budget.free(receiver.grantedBytes) }
        return receiver.isWaiting ? self.budget.forget(receiver.key) : []
    }
}

/// The streams of one connection, of a client's or a server's kind.
protocol ConnectionStreams: AnyObject {
    /// The streams that are open in HTTP/2 or wait to be.
    var openCount: Int { get }
    /// The connection is up.
    func started(_ flow: ConnectionFlow, _ peer: ConnectionPeer)
    /// An event of a stream's.
    func received(_ event: HTTP2Event, at now: NIODeadline)
    /// The application has asked for something.
    func drain(at now: NIODeadline)
    /// Nothing is sent any more but what is sent already.
    func stopped()
    /// The connection is gone.
    func ended(_ reason: String, at now: NIODeadline)
}
