import MailModel
import TestLiterals
import Testing

@testable import SMTPProtocol

/// How bytes are offered: in pieces of this many, or whole.
enum Feeding: CaseIterable {
    case whole, byteByByte

    var pieceSize: Int { self == .whole ? .max : 1 }
}

extension RemoteReply {
    /// A reply as a host gives it.
    init(_ code: UInt16, _ status: EnhancedStatusCode? = nil, _ lines: String...) {
        self.init(code, status, lines: lines)
    }

    init(_ code: UInt16, _ status: EnhancedStatusCode?, lines: [String]) {
        self.init(SMTPReply(code, status, lines: lines))
    }
}

extension DomainNameConversion {
    /// Knows one name: `bücher.test`.
    static let bookshop = DomainNameConversion(identifier: "bookshop") {
        $0.lowercased() == "bücher.test" ? DomainName("xn--bcher-kva.test") : nil
    }
}

/// A server session with an owner that accepts every recipient, stores every message, and judges credentials as told.
struct ServerConversation {
    var session: SMTPServerSession
    /// What the client saw: the code of each reply, `TLS` for a handshake, `closed` at the end.
    var transcript: [String] = []
    /// The whole reply to the last command that was simply answered.
    private(set) var lastReply = ""
    /// The messages stored.
    var messages: [String] = []
    var envelopes: [Envelope] = []
    /// What every recipient is answered, instead of being accepted.
    var recipientRefusal: SMTPReply?
    /// What the owner was asked to judge.
    var credentials: [SASLCredentials] = []
    var decision = SASLDecision.accepted(identity: "alice")
    private var content: [UInt8] = []
    private var pending: [UInt8] = []
    private(set) var isClosed = false
    private(set) var largestContent = 0

    init(
        limits: SMTPServerLimits = SMTPServerLimits(), greets: Bool = true, offersAuthentication: Bool = false
    ) throws {
        var configuration = SMTPServerSession.Configuration(
            hostName: "mx.relay.test", offersSTARTTLS: true, limits: limits)
        configuration.offersAuthentication = offersAuthentication
        configuration.domainConversion = .bookshop
        self.session = SMTPServerSession(configuration: configuration)
        if greets { _ = self.session.greet() }
    }

    /// One round trip: sends `text`, in pieces, and runs the session until it needs more.
    mutating func send(_ text: String, _ feeding: Feeding = .whole) { self.send(Array(text.utf8), feeding) }

    mutating func send(_ bytes: [UInt8], _ feeding: Feeding = .whole) {
        var rest = bytes[...]
        while !rest.isEmpty, !self.isClosed {
            self.pending += rest.prefix(feeding.pieceSize)
            rest = rest.dropFirst(feeding.pieceSize)
            while self.step() {}
        }
    }

    private mutating func step() -> Bool {
        let offered = self.pending
        let step = self.session.receive(offered.span, content: &self.content)
        self.pending.removeFirst(step.consumed)
        self.largestContent = max(self.largestContent, self.content.count)
        return self.act(step.action)
    }

    private mutating func act(_ action: SMTPServerAction) -> Bool {
        switch action {
        case .needInput, .waitForOwner:
            return false
        case .reply(let reply):
            self.transcript.append("\(reply.code)")
            self.lastReply = "\(reply)"
        case .close(let reply):
            self.transcript += ["\(reply.code)", "closed"]
            self.isClosed = true
            return false
        case .startTLS(let reply):
            self.transcript += ["\(reply.code)", "TLS"]
            self.session.tlsEstablished(TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"))
        case .decideRecipient:
            return self.act(self.session.recipientDecided(self.recipientRefusal.map { .refuse($0) } ?? .accept))
        case .authenticate(let credentials):
            self.credentials.append(credentials)
            return self.act(self.session.authenticationDecided(self.decision))
        case .beginMessage(_, let reply):
            #expect(self.content.isEmpty)
            if let reply { self.transcript.append("\(reply.code)") }
        case .messageEnded(let envelope, let size):
            #expect(size == self.content.count)
            self.messages.append(String(decoding: self.content, as: UTF8.self))
            self.envelopes.append(envelope)
            self.content = []
            let stored = SMTPReply(250, EnhancedStatusCode(.success, 0, 0), "Stored")
            return self.act(self.session.messageStored(stored))
        case .discardMessage(let reply):
            self.content = []
            self.transcript.append("\(reply.code)")
        case .discardMessageAndClose(let reply):
            self.content = []
            self.transcript += ["\(reply.code)", "closed"]
            self.isClosed = true
            return false
        }
        return true
    }

    /// EHLO to RCPT, so that DATA or BDAT may follow.
    mutating func openTransaction() {
        self.send("EHLO client.test\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<b@relay.test>\r\n")
        #expect(self.transcript == ["250", "250", "250"])
        self.transcript = []
    }

    /// EHLO to 354, so that content may follow.
    mutating func openMessage(_ feeding: Feeding = .whole) {
        self.send("EHLO client.test\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<b@relay.test>\r\nDATA\r\n", feeding)
        #expect(self.transcript == ["250", "250", "250", "354"])
        self.transcript = []
    }
}

/// A client session whose owner does what it is told, with the server's side written out.
struct ClientConversation {
    var session: SMTPClientSession
    /// Lines written by the client, and `TLS`, `content`, `ready` for what else it asked.
    var written: [String] = []
    var failure: SMTPClientFailure?
    /// The reply that refused TLS, if there was one, where TLS is owed.
    var withoutTLS: RemoteReply??
    var outcomes: [AttemptOutcome?]?
    var isClosed = false
    let feeding: Feeding
    let tls: TLS

    /// What the owner asks of TLS.
    enum TLS { case none, opportunistic, required }

    init(
        _ tls: TLS = .none, _ feeding: Feeding = .whole, usesChunking: Bool = true
    ) throws {
        self.tls = tls
        self.session = SMTPClientSession(
            helloName: "relay.test", asksForTLS: tls != .none, usesChunking: usesChunking)
        self.feeding = feeding
    }

    mutating func server(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, self.failure == nil {
            var piece = Array(rest.prefix(self.feeding.pieceSize))
            rest = rest.dropFirst(self.feeding.pieceSize)
            repeat {
                let step = self.session.receive(piece.span)
                piece.removeFirst(step.consumed)
                self.act(step.action)
                if step.consumed == 0 { break }
            } while !piece.isEmpty && self.failure == nil
        }
    }

    mutating func act(_ action: SMTPClientAction) {
        switch action {
        case .needInput: break
        case .send(let bytes):
            self.written += String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
        case .startTLS:
            self.written.append("TLS")
            self.act(self.session.tlsEstablished(TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256")))
        case .startTLSUnavailable where self.tls == .opportunistic: self.act(self.session.continueInClear())
        case .startTLSUnavailable(let reply): self.withoutTLS = .some(reply)
        case .ready: self.written.append("ready")
        case .transferContent: self.written.append("content")
        case .messageDone(let outcomes): self.outcomes = outcomes
        case .failed(let failure): self.failure = failure
        case .closed: self.isClosed = true
        }
    }

    /// Gets a clear-text connection to `.ready`, with these extensions offered.
    mutating func getReady(_ extensions: String...) { self.getReady(extensions) }

    mutating func getReady(_ extensions: [String]) {
        self.server("220 mx.test ESMTP\r\n")
        let lines = ["mx.test"] + extensions
        for (index, line) in lines.enumerated() {
            self.server("250\(index == lines.count - 1 ? " " : "-")\(line)\r\n")
        }
        self.written = []
    }

    mutating func begin(
        to names: String..., from sender: String = "s@relay.test", body: Envelope.BodyType = .sevenBit, size: Int = 10
    ) throws {
        let recipients = try names.map { EnvelopeRecipient(try #require(ForwardPath("<\($0)@mx.test>"))) }
        let path = try #require(ReversePath("<\(sender)>"))
        self.begin(SMTPClientMessage(reversePath: path, recipients: recipients, body: body, size: size))
    }

    mutating func begin(_ message: SMTPClientMessage) { self.act(self.session.begin(message)) }
}

extension AttemptOutcome {
    /// The outcomes by the replies that they come from.
    static func accepted(_ reply: RemoteReply, supportsDSN: Bool = false) -> Self {
        Self(reply, supportsDSN: supportsDSN)
    }
    static func refused(_ reply: RemoteReply) -> Self { Self(reply) }
    static func deferred(_ reply: RemoteReply) -> Self { .failed(DeliveryFailure(reply).madeTransient) }
    static func unsuitable(_ limitation: HostLimitation) -> Self { Self(limitation) }
}
