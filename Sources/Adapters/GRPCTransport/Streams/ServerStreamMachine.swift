import GRPCCore
import NIOCore

/// One call as a server sees it: what the client sent, what the handler answers, and in which order both may be.
///
/// What does not fit is the handler's misuse, the client's violation, or of no interest any more and dropped in silence (control 32).
///
/// ```
/// open ──status──▶ answered ──stream closed──▶ closed
///   ├──violation, deadline──▶ answered (with that status)
///   ├──misuse──▶ answered (INTERNAL)
///   └──stream closed before──▶ closed (the call is cancelled)
/// ```
struct ServerStreamMachine: Hashable, Sendable {
    private enum State: Hashable {
        case open(requestEnded: Bool, begun: Bool)
        /// The status is on its way: nothing else is.
        case answered
        case closed
    }

    /// How a status is sent.
    enum Answer: Hashable {
        case trailers(HeaderList)
        case trailersOnly(HeaderList)
    }

    enum OnData: Hashable {
        /// The bytes are of messages.
        case take
        case dropped
    }

    enum OnEnd: Hashable {
        case end
        case violation(RPCError, Answer)
        case dropped
    }

    enum OnSend: Hashable {
        case headers(HeaderList)
        case body([UInt8])
        case status(Answer)
        case misuse(RPCError, Answer)
        case dropped
    }

    enum OnClosed: Hashable {
        /// The client gave up before the status.
        case cancelled(RPCError)
        case dropped
    }

    private var state: State

    /// A call whose header section was accepted.
    init(endStream: Bool) { self.state = .open(requestEnded: endStream, begun: false) }

    // MARK: The client

    func receivedData() -> OnData {
        if case .open(requestEnded: false, _) = self.state { .take } else { .dropped }
    }

    /// The client ended its side.
    mutating func receivedEnd(isWithinMessage: Bool) -> OnEnd {
        guard case .open(requestEnded: false, let begun) = self.state else { return .dropped }
        self.state = .open(requestEnded: true, begun: begun)
        guard isWithinMessage else { return .end }
        let error = RPCError(code: .internalError, message: "the request ended in the middle of a message")
        return self.fail(error).map { .violation(error, $0) } ?? .dropped
    }

    /// The stream is over.
    mutating func closed(_ code: HTTP2ErrorCode) -> OnClosed {
        defer { self.state = .closed }
        guard case .open = self.state else { return .dropped }
        return .cancelled(RPCError(code: .cancelled, message: "the call ended before its status: \(code)"))
    }

    /// Ends the call for its request's sake or its time's: with the status to send, unless one was sent.
    mutating func fail(_ error: RPCError) -> Answer? {
        guard case .open(_, let begun) = self.state else { return nil }
        self.state = .answered
        let status = Status(code: Status.Code(error.code), message: error.message)
        return Self.answer(status, error.metadata, begun: begun)
    }

    // MARK: The handler

    mutating func send(_ part: RPCResponsePart<[UInt8]>) -> OnSend {
        guard case .open(let requestEnded, let begun) = self.state else { return .dropped }
        switch part {
        case .metadata(let metadata):
            guard !begun else { return self.misuse("metadata was sent twice, or behind a message") }
            do {
                let list = try ResponseHead.headers(metadata)
                self.state = .open(requestEnded: requestEnded, begun: true)
                return .headers(list)
            } catch { return self.misuse(error.message) }
        case .message(let message):
            guard begun else { return self.misuse("a message was sent before metadata") }
            return .body(message)
        case .status(let status, let metadata):
            self.state = .answered
            return .status(Self.answer(status, metadata, begun: begun))
        }
    }

    /// The handler sends nothing more.
    mutating func finish() -> OnSend {
        guard case .open = self.state else { return .dropped }
        return self.misuse("the handler ended without a status")
    }

    private mutating func misuse(_ message: String) -> OnSend {
        let error = RPCError(code: .internalError, message: message)
        return self.fail(error).map { .misuse(error, $0) } ?? .dropped
    }

    private static func answer(_ status: Status, _ metadata: Metadata, begun: Bool) -> Answer {
        begun
            ? .trailers(ResponseHead.trailers(status, metadata))
            : .trailersOnly(ResponseHead.trailersOnly(status, metadata))
    }
}
