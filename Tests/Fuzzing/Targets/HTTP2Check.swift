import GRPCTransport
import NIOCore

/// A peer's bytes at both kinds of HTTP/2 session, from the first byte on and behind a call that has begun.
enum HTTP2Check {
    /// What came of an input.
    fileprivate struct Outcome: Equatable {
        var events: [HTTP2Event] = []
        /// Bytes of bodies by stream: their cuts are not the peer's choice alone.
        var bodies: [HTTP2StreamID: Int] = [:]
        var failure: HTTP2Failure?
        /// The peer went away. Once no stream is open, the library reads what follows in the same piece, and no other.
        var isOver = false
    }

    private static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let request: HeaderList = [
        ":method": "POST", ":scheme": "https", ":path": "/service/method", ":authority": "host", "te": "trailers",
        "content-type": "application/grpc",
    ]

    static func check(_ input: [UInt8]) throws(Violation) {
        for role in [HTTP2Session.Role.server, .client] {
            for hasBegun in [false, true] {
                let whole = try Self.play(input, .whole, role, hasBegun)
                for pieces in [Pieces.bytes, .random] {
                    let cut = try Self.play(input, pieces, role, hasBegun)
                    try promise(cut == whole, "pieces change what happens: \(whole) and \(cut)")
                }
            }
        }
    }

    private static func play(
        _ input: [UInt8], _ pieces: Pieces, _ role: HTTP2Session.Role, _ hasBegun: Bool
    ) throws(Violation) -> Outcome {
        let session = try Self.session(role, hasBegun)
        var outcome = Outcome()
        var start = 0
        for length in pieces.lengths(of: input) {
            session.receive(ByteBuffer(bytes: input[start..<start + length]), at: Self.now)
            start += length
            try outcome.add(session.takeEvents())
        }
        outcome.failure = outcome.isOver ? nil : session.failure
        try Self.finish(session, outcome, input.count)
        return outcome
    }

    /// A session, at whose other end a peer has begun a call if it is to have one.
    private static func session(_ role: HTTP2Session.Role, _ hasBegun: Bool) throws(Violation) -> HTTP2Session {
        do {
            let session = try HTTP2Session(role, HTTP2Limits(), at: Self.now)
            guard hasBegun else { return session }
            let peer = try HTTP2Session(role == .server ? .client : .server, HTTP2Limits(), at: Self.now)
            let client = role == .server ? peer : session
            if let stream = client.request(Self.request) { client.write(stream, ByteBuffer(bytes: [0, 0, 0, 0, 0])) }
            for (from, to) in [(client, role == .server ? session : peer), (peer, session)] {
                var bytes = ByteBuffer()
                from.pump(into: &bytes, limit: 1 << 20)
                to.receive(bytes, at: Self.now)
            }
            _ = session.takeEvents()
            return session
        } catch { throw Violation("no session: \(error)") }
    }

    /// Answers what is open, and holds the session to what it promises of its output and its end.
    private static func finish(_ session: HTTP2Session, _ outcome: Outcome, _ count: Int) throws(Violation) {
        for case .headers(let stream, _, _) in outcome.events {
            session.respondOnly(stream, [":status": "200", "grpc-status": "0"])
        }
        for (stream, bytes) in outcome.bodies {
            session.consumeConnection(bytes)
            session.consume(stream, bytes)
        }
        var output = ByteBuffer()
        session.pump(into: &output, limit: 1 << 20)
        try promise(
            output.readableBytes <= 1024 + 64 * count, "\(output.readableBytes) bytes are the answer to \(count)")
        guard session.failure != nil else { return }
        _ = session.takeEvents()
        session.receive(ByteBuffer(bytes: [0, 0, 0, 4, 0, 0, 0, 0, 0]), at: Self.now)
        try promise(session.takeEvents().isEmpty, "a session that failed goes on")
    }
}

extension HTTP2Check.Outcome {
    fileprivate mutating func add(_ events: [HTTP2Event]) throws(Violation) {
        for event in events where !self.isOver {
            switch event {
            case .data(let stream, let bytes): self.bodies[stream, default: 0] += bytes.readableBytes
            case .headers(_, let list, _):
                let size = list.fields.reduce(0) {
                    $0 + HeaderField.size(name: $1.name.utf8.count, value: $1.value.utf8.count)
                }
                // What is not UTF-8 grows by its replacement, threefold at most.
                try promise(size <= 3 * HTTP2Limits().headerListBytes, "a header list of \(size) bytes")
                self.events.append(event)
            case .goAway:
                self.events.append(event)
                self.isOver = true
            case .oversizedHeaders, .endStream, .closed, .sent, .settings, .ping, .pingAcknowledged:
                self.events.append(event)
            }
        }
    }
}
