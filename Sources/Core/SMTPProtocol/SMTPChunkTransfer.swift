internal import MailModel

/// The content of one message on its way in chunks (BDAT, RFC 3030): one for each piece that the owner has, pipelined.
///
/// The last chunk is announced and sent like the others, but for the CRLF that ends it. Until these two bytes have come
/// the server has no message. They are to BDAT what the final dot is to DATA, and no round trip is spent on them. A
/// connection that ends before them delivers nothing.
///
/// ```
/// writing ─ pieces ─▶ writing ─ last piece ─▶ lastCRLF ─ finish ─▶ ended ─ all replies ─▶ done
///    └─ a refused chunk: no more is written, and done when every chunk has its reply
/// ```
struct SMTPChunkTransfer: Hashable, Sendable {
    enum Event: Hashable {
        case needInput
        case protocolError
        /// This reply is for the whole message.
        case done(RemoteReply)
        /// The same, and the server waits for the rest of a chunk that it is not to get.
        case doneMidChunk(RemoteReply)
    }

    private enum Position: Hashable {
        case writing, lastCRLF, ended
        /// The content is longer than its size said: what was announced is not what there is.
        case misfit
    }

    private static let crlf: [UInt8] = [0x0d, 0x0a]

    private var position = Position.writing
    private var lines = SMTPDataEncoder(stuffsDots: false)
    /// Bytes of the stored content that have not been offered yet.
    private var remaining: Int
    /// Chunks sent whole whose reply has not come. Bounded by what the transport takes.
    private var unanswered = 0
    /// The first refusal. What a server says of later chunks tells nothing new (RFC 3030 §2).
    private(set) var refusal: RemoteReply?
    /// The server has taken a chunk, so that it knows BDAT.
    private var hasTakenChunk = false

    /// A transfer of so many bytes, at least one.
    init(size: Int) { self.remaining = size }

    /// Whether the message is the server's to take: all was sent, and nothing refused.
    var isEnded: Bool { self.position == .ended && self.refusal == nil }

    /// The server refuses BDAT itself, although it offers CHUNKING: some do, and some stand behind a firewall that does not know
    /// the command. The same message may go by DATA.
    var isCommandRefused: Bool {
        guard let refusal, !self.hasTakenChunk else { return false }
        return [500, 502, 503].contains(refusal.code)
    }

    mutating func encode(_ content: Span<UInt8>, into output: inout [UInt8]) {
        guard self.position == .writing, self.refusal == nil else { return }
        self.remaining -= content.count
        guard self.remaining >= 0 else {
            self.position = .misfit
            return
        }
        var chunk: [UInt8] = []
        chunk.reserveCapacity(content.count + 2)
        self.lines.encode(content, into: &chunk)
        if self.remaining > 0 {
            // A CR by itself waits for what follows it.
            guard !chunk.isEmpty else { return }
            output += "BDAT \(chunk.count)\r\n".utf8
            output += chunk
            self.unanswered += 1
        } else {
            self.lines.endLastLine(into: &chunk)
            output += "BDAT \(chunk.count) LAST\r\n".utf8
            output += chunk.dropLast(Self.crlf.count)
            self.position = .lastCRLF
        }
    }

    /// The end of the last chunk; `nil` where the server has refused one, or the content does not fit its size.
    mutating func finish() -> [UInt8]? {
        guard self.position == .lastCRLF, self.refusal == nil else { return nil }
        self.position = .ended
        self.unanswered += 1
        return Self.crlf
    }

    mutating func received(_ reply: RemoteReply) -> Event {
        // Before a chunk is whole a server has nothing to say of it; a 250 would be taken for an acceptance that is none.
        // A refusal, though, may come as soon as the server has read how large the chunk is.
        if self.position == .lastCRLF, self.unanswered == 0, reply.isTransient || reply.isPermanent {
            self.refusal = self.refusal ?? reply
            return .doneMidChunk(reply)
        }
        guard self.unanswered > 0, reply.severity != .positiveIntermediate else { return .protocolError }
        self.unanswered -= 1
        if reply.isPositiveCompletion {
            self.hasTakenChunk = true
        } else {
            self.refusal = self.refusal ?? reply
        }
        switch self.position {
        case .lastCRLF: return self.refusal.map { .doneMidChunk($0) } ?? .needInput
        case _ where self.unanswered > 0: return .needInput
        case .ended: return .done(self.refusal ?? reply)
        case .writing, .misfit: return self.refusal.map { .done($0) } ?? .needInput
        }
    }
}
