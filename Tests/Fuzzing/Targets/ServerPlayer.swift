import MailModel
import SMTPProtocol

/// What a client and the queue see of a server session.
enum ServerEvent: Equatable {
    case reply(SMTPReply)
    case beganTLS
    case asked(ForwardPath)
    case credentials(SASLCredentials)
    case stored(Envelope, [UInt8])
    case dropped
    case closed
}

/// A server session with an owner whose decisions depend on what is decided alone, and promises that hold at each step.
struct ServerPlayer {
    private(set) var session: SMTPServerSession
    private(set) var events: [ServerEvent] = []
    private(set) var isClosed = false
    private var content: [UInt8] = []
    private var accepted: [ForwardPath] = []
    private var contentBytesOffered = 0
    private let limits: SMTPServerLimits

    init(_ configuration: SMTPServerSession.Configuration, greets: Bool = true) {
        self.session = SMTPServerSession(configuration: configuration)
        self.limits = configuration.limits
        if greets { _ = self.session.greet() }
    }

    /// Offers all bytes that are there, as the owner must, and does what is said until more are needed.
    mutating func play(_ input: [UInt8], _ pieces: Pieces) throws(Violation) {
        var start = 0
        var end = 0
        for length in pieces.lengths(of: input) where !self.isClosed {
            end += length
            var steps = 2 * (end - start) + 8
            while !self.isClosed {
                let step = self.session.receive(input.span.extracting(start..<end), content: &self.content)
                try self.check(step, offered: end - start)
                start += step.consumed
                let goesOn = try self.act(step.action)
                try self.checkState()
                if !goesOn { break }
                steps -= 1
                try promise(steps > 0, "no progress")
            }
            try promise(self.isClosed || start == end, "bytes are left over")
        }
        if self.isClosed { try self.checkEnd() }
    }

    // MARK: - Acting

    /// Does what an action asks for; false when more input is needed.
    private mutating func act(_ action: SMTPServerAction) throws(Violation) -> Bool {
        switch action {
        case .needInput: return false
        case .waitForOwner: throw Violation("the session waits for an owner who was not asked")
        case .reply(let reply): try self.note(reply)
        case .close(let reply): try self.close(reply)
        case .startTLS(let reply):
            try self.note(reply)
            self.events.append(.beganTLS)
            self.session.tlsEstablished(TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"))
            try promise(
                self.session.hello == nil && self.session.envelope == nil, "what was said in clear is remembered")
        case .decideRecipient(let path, let envelope):
            self.events.append(.asked(path))
            try promise(envelope.recipients.count < self.limits.recipients, "a recipient too many")
            let isAccepted = "\(path)".utf8.checksum % 4 != 0
            if isAccepted { self.accepted.append(path) }
            return try self.act(self.session.recipientDecided(isAccepted ? .accept : .refuse(Self.unknownUser)))
        case .authenticate(let credentials):
            self.events.append(.credentials(credentials))
            try promise(self.session.tls != nil, "a password in clear")
            try promise(credentials.password.count <= 255, "a password over its limit")
            return try self.act(self.session.authenticationDecided(Self.decision(about: credentials)))
        case .beginMessage(let envelope, let reply):
            if let reply { try self.note(reply) }
            try promise(
                !envelope.recipients.isEmpty && self.content.isEmpty, "content for nobody, or behind other content")
            if "\(envelope.reversePath)".utf8.checksum % 8 == 0 { self.session.refuseRestOfMessage(Self.full) }
        case .messageEnded(let envelope, let size):
            return try self.store(envelope, size)
        case .discardMessage(let reply):
            try self.note(reply)
            self.drop()
        case .discardMessageAndClose(let reply):
            self.drop()
            try self.close(reply)
        }
        return true
    }

    private mutating func store(_ envelope: Envelope, _ size: Int) throws(Violation) -> Bool {
        try promise(size == self.content.count && size <= self.limits.messageBytes + 2, "a message of a wrong size")
        try promise(
            envelope.recipients.map(\.path) == self.accepted, "recipients that were not accepted for this message")
        try promise(!envelope.recipients.isEmpty, "a message for nobody")
        try promise(self.content.hasOnlyWholeLineEnds, "a stray CR, LF or NUL was accepted")
        try promise(self.content.suffix(2) == [13, 10] || self.content.isEmpty, "content without an end of line")
        self.events.append(.stored(envelope, self.content))
        let isStored = self.content.checksum % 8 != 0
        self.content = []
        let more = try self.act(self.session.messageStored(isStored ? Self.stored : Self.notNow))
        try promise(self.session.envelope == nil, "a transaction outlives its message")
        return more
    }

    private mutating func drop() {
        self.content = []
        self.events.append(.dropped)
    }

    private mutating func close(_ reply: SMTPReply) throws(Violation) {
        try self.note(reply)
        self.events.append(.closed)
        self.isClosed = true
    }

    private mutating func note(_ reply: SMTPReply) throws(Violation) {
        self.events.append(.reply(reply))
        try promise(reply.lines.count <= 32, "an endless reply")
        try promise(
            reply.lines.allSatisfy { $0.utf8.allSatisfy { (0x20...0x7e).contains($0) } }, "a reply is not printable")
    }

    // MARK: - Promises

    private mutating func check(_ step: SMTPServerStep, offered: Int) throws(Violation) {
        try promise(step.consumed >= 0 && step.consumed <= offered, "more consumed than offered")
        if step.action == .needInput { try promise(step.consumed == offered, "more is needed than what is not read") }
        self.contentBytesOffered += step.consumed
        // Two bytes for a line end that is added at the end of each message.
        try promise(self.content.count <= self.contentBytesOffered + 2, "content out of nothing")
        try promise(self.content.count <= self.limits.messageBytes + 2, "content beyond the limit")
    }

    private mutating func checkState() throws(Violation) {
        guard let envelope = self.session.envelope else {
            self.accepted = []
            return
        }
        try promise(self.session.hello != nil, "a transaction of nobody")
        try promise(envelope.recipients.map(\.path) == self.accepted, "recipients that were not accepted")
    }

    /// After the end nothing is said, asked or taken any more.
    private mutating func checkEnd() throws(Violation) {
        var session = self.session
        var rest: [UInt8] = []
        let more = Array("EHLO again.test\r\nMAIL FROM:<a@b.test>\r\n".utf8)
        let step = session.receive(more.span, content: &rest)
        try promise(step.consumed == more.count && step.action == .needInput && rest.isEmpty, "a life after the end")
    }

    /// A drain ends any session at once.
    func checkShutDown() throws(Violation) {
        guard !self.isClosed else { return }
        var player = self
        switch player.session.shutDown("Closing") {
        case .close(let reply), .discardMessageAndClose(let reply): try promise(reply.code == 421, "\(reply)")
        case let action: throw Violation("a drain is answered by \(action)")
        }
        try player.checkEnd()
    }
}

// MARK: - The owner's words

extension ServerPlayer {
    private static let unknownUser = SMTPReply(550, EnhancedStatusCode(.permanentFailure, 1, 1), "No such user")
    private static let full = SMTPReply(452, EnhancedStatusCode(.persistentTransientFailure, 3, 1), "No room")
    private static let stored = SMTPReply(250, EnhancedStatusCode(.success, 0, 0), "Stored")
    private static let notNow = SMTPReply(451, EnhancedStatusCode(.persistentTransientFailure, 3, 0), "Not now")

    private static func decision(about credentials: SASLCredentials) -> SASLDecision {
        switch credentials.password.checksum % 3 {
        case 0: .accepted(identity: credentials.authenticationID)
        case 1: .refused
        default: .unavailable
        }
    }
}
