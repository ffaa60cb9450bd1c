import GRPCCore
import NIOCore

/// One call as a client sees it. Its end is exactly one status, whatever happens (control 21, 32).
///
/// ```
/// idle ──metadata──▶ open ──status, violation, reset, connection lost──▶ over
///   └──cancelled, connection lost, misuse──────────────────────────────▶ over
/// ```
struct ClientStreamMachine: Hashable, Sendable {
    private enum State: Hashable {
        case idle
        case open(requestEnded: Bool, begun: Bool)
        case over
    }

    /// The end of a call.
    struct End: Hashable {
        var status: Status
        var metadata: Metadata = [:]
        /// How the stream is to be reset, where it is still open.
        var reset: HTTP2ErrorCode?
        /// Whether the server surely did nothing of the call, so that it may begin again elsewhere (control 22).
        var isUnprocessed = false
    }

    enum OnSend: Hashable {
        case request(Metadata)
        case body([UInt8])
        case endStream
        case misuse(End)
        case dropped
    }

    enum OnHeaders: Hashable {
        case begun(Metadata)
        case over(End)
        case dropped
    }

    enum OnData: Hashable {
        case take
        case over(End)
        case dropped
    }

    private var state = State.idle
    /// When the call's time is up.
    var deadline: NIODeadline?

    init(deadline: NIODeadline? = nil) { self.deadline = deadline }

    // MARK: The caller

    mutating func send(_ part: RPCRequestPart<[UInt8]>) -> OnSend {
        switch (part, self.state) {
        case (_, .over): return .dropped
        case (.metadata(let metadata), .idle):
            self.state = .open(requestEnded: false, begun: false)
            return .request(metadata)
        case (.message(let message), .open(requestEnded: false, _)): return .body(message)
        case (.metadata, .open): return self.misuse("metadata was sent twice")
        case (.message, .idle): return self.misuse("a message was sent before metadata")
        case (.message, .open): return self.misuse("a message was sent behind the end of the request")
        }
    }

    /// The caller sends nothing more.
    mutating func finish() -> OnSend {
        switch self.state {
        case .idle: return self.misuse("the request ended without metadata")
        case .open(requestEnded: false, let begun):
            self.state = .open(requestEnded: true, begun: begun)
            return .endStream
        case .open, .over: return .dropped
        }
    }

    /// The caller gives up; `nil` if the call is over.
    mutating func cancel(_ message: String, at now: NIODeadline) -> End? {
        self.end(self.cancelled(message, at: now), reset: .cancel)
    }

    /// Metadata could not be sent.
    mutating func refuse(_ error: RPCError) -> End? {
        self.end(Status(code: Status.Code(error.code), message: error.message))
    }

    private mutating func misuse(_ message: String) -> OnSend {
        self.end(Status(code: .internalError, message: message), reset: .internalError).map { .misuse($0) } ?? .dropped
    }

    // MARK: The server

    mutating func receivedHeaders(_ list: HeaderList, endStream: Bool) -> OnHeaders {
        guard case .open(let requestEnded, let begun) = self.state else { return .dropped }
        // Nothing follows, so what the request has left is of no use.
        let reset = requestEnded && endStream ? nil : HTTP2ErrorCode.cancel
        if begun {
            let end = ResponseHead.end(list)
            return self.end(end.status, end.metadata, reset: reset).map { .over($0) } ?? .dropped
        }
        switch ResponseHead.judge(list, endStream: endStream) {
        case .interim: return .dropped
        case .begun(let metadata):
            self.state = .open(requestEnded: requestEnded, begun: true)
            return .begun(metadata)
        case .ended(let end): return self.end(end.status, end.metadata, reset: reset).map { .over($0) } ?? .dropped
        }
    }

    mutating func receivedOversizedHeaders() -> End? {
        self.end(
            Status(code: .resourceExhausted, message: "the header list of the response is too large"),
            reset: .cancel)
    }

    mutating func receivedData() -> OnData {
        switch self.state {
        case .open(_, begun: true): return .take
        case .open:
            let status = Status(code: .internalError, message: "data came before the header section")
            return self.end(status, reset: .protocolError).map { .over($0) } ?? .dropped
        case .idle, .over: return .dropped
        }
    }

    /// The messages of the response break a rule or a limit.
    mutating func violated(_ error: RPCError) -> End? {
        self.end(Status(code: Status.Code(error.code), message: error.message), reset: .cancel)
    }

    /// The server ended its side without trailers.
    mutating func receivedEnd() -> End? {
        self.end(Status(httpStatus: 200, "the response ended without trailers"), reset: .cancel)
    }

    /// The stream is over.
    mutating func closed(_ code: HTTP2ErrorCode, at now: NIODeadline) -> End? {
        let status = Status(reset: code)
        // Whoever refuses a stream has not looked at it (RFC 9113 §8.7).
        return self.end(
            code == .cancel ? self.cancelled(status.message, at: now) : status, isUnprocessed: code == .refusedStream)
    }

    /// The connection is gone, or takes no calls any more.
    ///
    /// - Parameter isUnprocessed: whether the server surely has not looked at the stream.
    mutating func connectionLost(_ message: String, at now: NIODeadline, isUnprocessed: Bool) -> End? {
        if self.isLate(now) { return self.end(self.late) }
        return self.end(Status(code: .unavailable, message: message), isUnprocessed: isUnprocessed)
    }

    // MARK: The end

    private mutating func end(
        _ status: Status, _ metadata: Metadata = [:], reset: HTTP2ErrorCode? = nil, isUnprocessed: Bool = false
    ) -> End? {
        var hasBegun = false
        switch self.state {
        case .over: return nil
        case .open(_, let begun): hasBegun = begun
        case .idle: ()
        }
        self.state = .over
        return End(status: status, metadata: metadata, reset: reset, isUnprocessed: isUnprocessed && !hasBegun)
    }

    /// A deadline that has passed counts, even if CANCELLED is what arrives.
    private func cancelled(_ message: String, at now: NIODeadline) -> Status {
        self.isLate(now) ? self.late : Status(code: .cancelled, message: message)
    }

    private func isLate(_ now: NIODeadline) -> Bool { self.deadline.map { now >= $0 } ?? false }

    private var late: Status { Status(code: .deadlineExceeded, message: "the deadline has passed") }
}
