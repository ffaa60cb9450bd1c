import NIOCore

/// What a proxy between a client and a PostgreSQL server understands of their conversation: where transactions end, and what
/// they were about.
///
/// What a client sends up to a Sync (or one simple query) is a batch: one implicit transaction, whose COMMIT is the Sync. A
/// batch is held until it is whole, and then judged.
struct PostgresConversation {
    /// What happens to a batch.
    enum Verdict: Hashable {
        case pass
        /// All but the COMMIT goes to the server; then the connection is cut.
        case cutBeforeCommit
        /// All goes to the server, its answers go nowhere, and when the last of them is there the connection is cut.
        case swallowReply
    }

    enum Action: Equatable {
        case toServer(ByteBuffer)
        case toClient(ByteBuffer)
        case cut
    }

    private var fromClient = ByteBuffer()
    private var fromServer = ByteBuffer()
    private var hasStarted = false
    /// The texts of prepared statements by name.
    private var statements: [String: String] = [:]
    private var batch = ByteBuffer()
    /// The texts of what the batch executes.
    private var texts: [String] = []
    private var isSwallowing = false

    /// Takes what the client sent. `judge` is asked once for each batch, with the texts of its statements.
    mutating func clientSent(_ bytes: ByteBuffer, judge: ([String]) -> Verdict) -> [Action] {
        self.fromClient.writeImmutableBuffer(bytes)
        var actions: [Action] = []
        // The first message has no type: start-up, or a request to cancel.
        if !self.hasStarted {
            guard let length = self.fromClient.getInteger(at: self.fromClient.readerIndex, as: UInt32.self),
                let start = self.fromClient.readSlice(length: Int(length))
            else { return [] }
            self.hasStarted = true
            actions.append(.toServer(start))
        }
        while let message = Self.next(&self.fromClient) {
            actions += self.take(message, judge)
        }
        return actions
    }

    /// Takes what the server sent.
    mutating func serverSent(_ bytes: ByteBuffer) -> [Action] {
        guard self.isSwallowing else { return [.toClient(bytes)] }
        self.fromServer.writeImmutableBuffer(bytes)
        while let message = Self.next(&self.fromServer) {
            // ReadyForQuery: the transaction is over.
            if Self.type(of: message) == UInt8(ascii: "Z") { return [.cut] }
        }
        return []
    }

    private mutating func take(_ message: ByteBuffer, _ judge: ([String]) -> Verdict) -> [Action] {
        var body = message
        body.moveReaderIndex(forwardBy: 5)
        var whole = message
        switch Self.type(of: message) {
        case UInt8(ascii: "P"):
            if let name = Self.text(&body), let statement = Self.text(&body) { self.statements[name] = statement }
        case UInt8(ascii: "B"):
            // The portal's name comes first.
            if Self.text(&body) != nil, let name = Self.text(&body), let text = self.statements[name] {
                self.texts.append(text)
            }
        case UInt8(ascii: "Q"):
            if let text = Self.text(&body) { self.texts.append(text) }
            return self.end(with: whole, judge)
        case UInt8(ascii: "S"): return self.end(with: whole, judge)
        case UInt8(ascii: "X"): return [.toServer(whole)]
        default: ()
        }
        self.batch.writeBuffer(&whole)
        return []
    }

    /// The batch is whole.
    private mutating func end(with last: ByteBuffer, _ judge: ([String]) -> Verdict) -> [Action] {
        defer {
            self.batch = ByteBuffer()
            self.texts = []
        }
        switch judge(self.texts) {
        case .pass: ()
        case .cutBeforeCommit: return [.toServer(self.batch), .cut]
        case .swallowReply: self.isSwallowing = true
        }
        var bytes = self.batch
        bytes.writeImmutableBuffer(last)
        return [.toServer(bytes)]
    }

    // MARK: Framing

    private static func type(of message: ByteBuffer) -> UInt8? {
        message.getInteger(at: message.readerIndex)
    }

    /// One whole message: its type, a length that counts itself, and the rest.
    private static func next(_ buffer: inout ByteBuffer) -> ByteBuffer? {
        guard let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self) else { return nil }
        return buffer.readSlice(length: 1 + Int(length))
    }

    private static func text(_ buffer: inout ByteBuffer) -> String? {
        guard let end = buffer.readableBytesView.firstIndex(of: 0) else { return nil }
        let text = buffer.readString(length: end - buffer.readerIndex)
        buffer.moveReaderIndex(forwardBy: 1)
        return text
    }
}
