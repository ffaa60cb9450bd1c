internal import MailModel

/// One message on its way through MAIL, RCPT, DATA or BDAT, and the content: a machine inside `SMTPClientSession`.
///
/// Commands not yet sent and replies not yet received are two queues. With PIPELINING (RFC 2920) the first is emptied
/// at once, without it one command at a time; the replies are read in the same manner.
///
/// Where the host offers CHUNKING and PIPELINING the content goes in chunks. That takes as many round trips as DATA,
/// whose 354 comes together with the replies to RCPT. Chunks are never sent ahead of an accepted recipient, though the
/// RFC allows it: the content would often go to nobody. Without PIPELINING each chunk would wait for its reply: DATA is
/// better.
struct SMTPClientTransaction: Hashable, Sendable {
    enum Command: Hashable {
        case reset, mail, recipient(Int), data
    }

    enum Event: Hashable {
        case needInput
        case send([UInt8])
        case transferContent
        case protocolError
        case serviceClosing
        case chunkingRefused
        case done([AttemptOutcome?])
    }

    private enum Phase: Hashable {
        case envelope
        case content(SMTPDataEncoder)
        case chunks(SMTPChunkTransfer)
        /// `isEmpty`: the server asked for content that nobody is to get, and got none.
        case finalDot(isEmpty: Bool)
    }

    private let message: SMTPClientMessage
    private let capabilities: SMTPServerCapabilities
    private let usesChunks: Bool
    private var unsent: ArraySlice<Command>
    private var unanswered: ArraySlice<Command> = []
    private var mailRefusal: RemoteReply?
    private var hasRecipient = false
    private var phase = Phase.envelope
    private var decisions: [Decision?]

    /// What was found out of one recipient.
    private enum Decision: Hashable {
        case outcome(AttemptOutcome)
        /// Too many beside others, who were accepted; the outcome if no other transaction follows.
        case surplus(AttemptOutcome)
    }

    /// What is decided so far.
    var outcomes: [AttemptOutcome?] {
        self.decisions.map { if case .outcome(let outcome)? = $0 { outcome } else { nil } }
    }

    /// Recipients that have an outcome are left out. `resetFirst` clears what an earlier, unfinished transaction left on
    /// the server.
    init(
        message: SMTPClientMessage, capabilities: SMTPServerCapabilities, outcomes: [AttemptOutcome?],
        resetFirst: Bool
    ) {
        self.message = message
        self.capabilities = capabilities
        self.decisions = outcomes.map { $0.map(Decision.outcome) }
        let recipients = outcomes.indices.filter { outcomes[$0] == nil }.map(Command.recipient)
        self.usesChunks = capabilities.chunking && capabilities.pipelining && message.size > 0
        self.unsent =
            ((resetFirst ? [.reset] : []) + [.mail] + recipients + (self.usesChunks ? [] : [.data]))[...]
    }

    var stage: SMTPClientStage {
        switch (self.phase, self.unanswered.first) {
        case (.content, _): .content
        // What is refused already is not at stake any more.
        case (.chunks(let transfer), _): transfer.isEnded ? .finalDot : .content
        case (.finalDot(isEmpty: false), _): .finalDot
        // The dot of a message for nobody ends DATA and nothing else: no loss of its reply leaves anything in doubt.
        case (.finalDot(isEmpty: true), _): .data
        case (.envelope, .reset): .reset
        case (.envelope, .mail), (.envelope, nil): .mail
        case (.envelope, .recipient): .recipient
        case (.envelope, .data): .data
        }
    }

    /// Whether the server holds a transaction that nothing has ended.
    private(set) var leavesServerMidway = false
    /// Whether the server closes the connection, so that no command can follow.
    private(set) var isServerClosing = false
    /// Whether the server waits for the rest of a chunk, so that no command can follow.
    private(set) var leavesServerMidContent = false

    /// Whether more content is of any use.
    var takesContent: Bool {
        switch self.phase {
        case .content: true
        case .chunks(let transfer): transfer.refusal == nil
        case .envelope, .finalDot: false
        }
    }

    // MARK: - Sending

    /// The bytes of all commands that may go now.
    mutating func nextCommands() -> [UInt8] {
        var bytes: [UInt8] = []
        let count = self.capabilities.pipelining ? self.unsent.count : 1
        for command in self.unsent.prefix(count) { bytes += "\(self.text(of: command))\r\n".utf8 }
        self.unanswered += self.unsent.prefix(count)
        self.unsent = self.unsent.dropFirst(count)
        return bytes
    }

    private func text(of command: Command) -> String {
        switch command {
        case .reset: return "RSET"
        case .recipient(let index): return self.message.recipientCommand(index, for: self.capabilities)
        case .data: return "DATA"
        case .mail: return self.message.mailCommand(for: self.capabilities)
        }
    }

    mutating func encode(_ content: Span<UInt8>, into output: inout [UInt8]) {
        switch self.phase {
        case .content(var encoder):
            encoder.encode(content, into: &output)
            self.phase = .content(encoder)
        case .chunks(var transfer):
            transfer.encode(content, into: &output)
            self.phase = .chunks(transfer)
        case .envelope, .finalDot: ()
        }
    }

    mutating func finish() -> [UInt8]? {
        switch self.phase {
        case .content(var encoder):
            var bytes: [UInt8] = []
            encoder.finish(into: &bytes)
            self.phase = .finalDot(isEmpty: false)
            return bytes
        case .chunks(var transfer):
            let bytes = transfer.finish()
            self.phase = .chunks(transfer)
            return bytes
        case .envelope, .finalDot: return nil
        }
    }

    // MARK: - Receiving

    mutating func received(_ reply: RemoteReply) -> Event {
        if reply.code == 421 { return self.closing(reply) }
        switch self.phase {
        case .envelope: return self.envelopeAnswered(reply)
        // A server that has read enough to refuse may say so at once, and take no more.
        case .content where reply.isTransient || reply.isPermanent:
            self.leavesServerMidContent = true
            return self.ended(by: reply)
        // Else it has nothing to say before the final dot; a 250 would be taken for an acceptance that is none.
        case .content: return .protocolError
        case .chunks(let transfer): return self.chunkAnswered(reply, transfer)
        case .finalDot(let isEmpty): return self.finalDotAnswered(reply, isEmpty: isEmpty)
        }
    }

    /// 421 to the final dot is a 4yz like any other, behind which nothing more is said. Earlier, it decides nothing
    /// about those still undecided.
    private mutating func closing(_ reply: RemoteReply) -> Event {
        guard self.stage == .finalDot else { return .serviceClosing }
        self.isServerClosing = true
        return self.ended(by: reply)
    }

    private mutating func envelopeAnswered(_ reply: RemoteReply) -> Event {
        guard let command = self.unanswered.popFirst() else { return .protocolError }
        switch command {
        case .reset:
            guard reply.isPositiveCompletion else { return .protocolError }
        case .mail:
            guard reply.severity != .positiveIntermediate else { return .protocolError }
            if reply.isPositiveCompletion {
                self.leavesServerMidway = true
            } else {
                self.mailRefusal = reply
                self.decideRest(AttemptOutcome(reply))
                // Without pipelining nothing more was sent, and nothing more needs to be.
                self.unsent = []
            }
        case .recipient(let index):
            guard reply.severity != .positiveIntermediate else { return .protocolError }
            // A refused MAIL has decided already.
            if self.mailRefusal == nil { self.recipientAnswered(index, reply) }
            if self.unsent.first == .data, self.isAllDecided { self.unsent = [] }
        case .data:
            return self.dataAnswered(reply)
        }
        if !self.unanswered.isEmpty { return .needInput }
        if !self.unsent.isEmpty { return .send(self.nextCommands()) }
        guard self.usesChunks, !self.isAllDecided else { return self.done() }
        self.phase = .chunks(SMTPChunkTransfer(size: self.message.size))
        return .transferContent
    }

    private mutating func recipientAnswered(_ index: Int, _ reply: RemoteReply) {
        // 251 and 252 are acceptances too.
        if reply.isPositiveCompletion {
            self.hasRecipient = true
        } else {
            let outcome = AttemptOutcome(reply)
            self.decisions[index] =
                self.hasRecipient && reply.meansTooManyRecipients ? .surplus(outcome) : .outcome(outcome)
        }
    }

    private mutating func dataAnswered(_ reply: RemoteReply) -> Event {
        guard reply.code == 354 else {
            // A 2yz to DATA says nothing that we could act on.
            guard reply.isTransient || reply.isPermanent else { return .protocolError }
            self.decideRest(AttemptOutcome(reply))
            return self.done()
        }
        if self.isAllDecided {
            // Pipelined DATA was let through although nobody is to get the message: end it empty (RFC 2920 §3.1).
            self.phase = .finalDot(isEmpty: true)
            return .send(Array(".\r\n".utf8))
        }
        self.phase = .content(SMTPDataEncoder())
        return .transferContent
    }

    private mutating func chunkAnswered(_ reply: RemoteReply, _ transfer: SMTPChunkTransfer) -> Event {
        var transfer = transfer
        let event = transfer.received(reply)
        self.phase = .chunks(transfer)
        // The server may take the chunk's content for commands: nothing more is said to it.
        if transfer.isCommandRefused { return .chunkingRefused }
        // It stands, whatever becomes of the connection.
        if let refusal = transfer.refusal { self.decideRest(AttemptOutcome(refusal)) }
        switch event {
        case .needInput: return .needInput
        case .protocolError: return .protocolError
        case .done(let reply):
            // After a refused chunk only RSET is sure to end the transaction (RFC 3030 §2).
            self.leavesServerMidway = !reply.isPositiveCompletion
            return self.ended(by: reply)
        case .doneMidChunk(let reply):
            self.leavesServerMidContent = true
            return self.ended(by: reply)
        }
    }

    private mutating func finalDotAnswered(_ reply: RemoteReply, isEmpty: Bool) -> Event {
        guard reply.severity != .positiveIntermediate else { return .protocolError }
        self.leavesServerMidway = false
        return isEmpty ? self.done() : self.ended(by: reply)
    }

    /// This reply is for all who were accepted so far.
    private mutating func ended(by reply: RemoteReply) -> Event {
        self.decideRest(AttemptOutcome(reply, supportsDSN: self.capabilities.dsn))
        return self.done()
    }

    private var isAllDecided: Bool { !self.decisions.contains(nil) }

    private mutating func decideRest(_ outcome: AttemptOutcome) {
        self.decisions = self.decisions.map { $0 ?? .outcome(outcome) }
    }

    /// Where nobody got the message, another transaction for the surplus would fare no better.
    private func done() -> Event {
        let outcomes = self.outcomes
        guard !outcomes.contains(where: { $0?.isDelivered == true }) else { return .done(outcomes) }
        return .done(
            self.decisions.map { decision in
                switch decision {
                case .outcome(let outcome)?, .surplus(let outcome)?: outcome
                case nil: nil
                }
            })
    }
}

extension RemoteReply {
    /// 452, or 552 from hosts of old, to RCPT (RFC 5321 §4.5.3.1.10). A host that means a full mailbox or disk may say so by
    /// its status; one that says nothing is asked once more.
    fileprivate var meansTooManyRecipients: Bool {
        guard self.code == 452 || self.code == 552 else { return false }
        return self.enhancedStatus.map { $0.subject == 5 && $0.detail == 3 } ?? true
    }
}
