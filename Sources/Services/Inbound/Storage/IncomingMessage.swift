import Admission
import Logging
import MailModel
import NIOCore
import QueueStore
import SMTPProtocol
import ServiceSupport

/// A message on its way in: gathers its content and has it stored. Confined to its connection's event loop.
///
/// Content up to `QueueLimits.inlineBody` goes into the message's own row. More is staged in the database chunk by
/// chunk as it arrives, and published at the end. So a large message never stands in memory.
final class IncomingMessage {
    private let intake: MessageIntake
    private let draft: AcceptedMessage
    private var buffer: [UInt8]
    private var stager: BodyStager?
    /// A chunk is on its way to the database.
    private var isStaging = false
    private var isAbandoned = false
    private var survey: ContentSurvey
    /// The bytes that came, behind the trace field, and those that may come.
    private var size: Int
    private let sizeLimit: Int
    /// It goes to several domains, which would each do alone.
    private let isCopied: Bool
    /// What is staged of it.
    private var share: StagingShare
    /// SMTPUTF8 was declared.
    private let isInternational: Bool
    /// Where in the buffer fields go that the client should have sent; nothing once they have gone there, or where none are to.
    private var addition: Int?
    /// The Message-ID field that was put there.
    private var addedMessageID: String?
    private let arrival: Timestamp
    private let by: DomainName

    init(
        envelope: Envelope, recipients: [AdmittedRecipient], from identity: ClientIdentity, by rule: AdmissionRule,
        tls: TLSInfo?, environment: InboundEnvironment
    ) {
        let client = identity.address
        let isSubmitted = identity.user != nil
        let isHidden = isSubmitted && environment.submission.hidesClients
        let addsFields = isSubmitted && environment.submission.addsMissingFields
        let now = environment.time.date
        var random = environment.random
        let id = MessageID(at: now, random: .random(in: .min ... .max, using: &random))
        let received = ReceivedField(
            hello: envelope.hello,
            transmission: TransmissionProtocol(
                isExtended: envelope.hello.isExtended, isInternational: envelope.isInternational,
                isSecured: tls != nil, isAuthenticated: identity.user != nil),
            clientAddress: isHidden ? nil : client, by: environment.session.hostName, tls: tls, id: id, at: now)
        var attributes = MessageAttributes()
        attributes.dsnReturn = envelope.returnContent
        attributes.envelopeID = envelope.envelopeID
        attributes.clientAddress = "\(client)"
        attributes.clientName = SafeText.escape(envelope.hello.name)
        attributes.mayRelay = rule.mayRelay
        let entries = Self.entries(of: recipients)
        self.isInternational = envelope.isInternational
        let isRestricted = !rule.mayRelay || envelope.reversePath == .null
        let budget = environment.copyBudget(isRestricted: isRestricted)
        let copies = budget.mostCopies(forDomains: entries.count)
        self.isCopied = copies > 1
        self.size = received.bytes.count
        self.sizeLimit = budget.messageBytes(forDomains: entries.count)
        self.share = environment.stagingBudget.share(of: client, copies: copies, isRestricted: isRestricted)
        self.intake = environment.intake
        self.buffer = received.bytes
        self.survey = ContentSurvey(
            receivedFieldLimit: environment.session.limits.receivedFields, looksForDate: addsFields)
        self.addition = addsFields ? received.bytes.count : nil
        self.arrival = now
        self.by = environment.session.hostName
        self.draft = AcceptedMessage(
            id: id, sender: envelope.reversePath.storedText, attributes: attributes,
            entries: entries, body: .inline([]), reception: Reception(of: identity, attributes.clientName, by: rule),
            receptionNote: "from \(client) by \(tls.map { "\($0.version) \($0.cipher)" } ?? "cleartext")")
    }

    /// The reverse path's mailbox; empty for the null sender.
    var sender: String { self.draft.sender }

    /// Takes the content over. `true` when a chunk is full and must be staged before more is read.
    func append(_ content: inout [UInt8]) -> Bool {
        self.survey.consume(content)
        // In one step, so that the chunks of a large body do not leave their predecessors behind.
        if self.stager != nil { self.buffer.reserveCapacity(QueueLimits.inlineBody + content.count) }
        self.size += content.count
        self.buffer.append(contentsOf: content)
        content.removeAll(keepingCapacity: true)
        if self.survey.isHeaderOver { self.addMissingFields() }
        return self.buffer.count > QueueLimits.inlineBody
    }

    /// Puts Date and Message-ID between our trace field and the client's header section, if that has neither (RFC 6409 §8.1, §8.2).
    private func addMissingFields() {
        guard let place = self.addition.take() else { return }
        var fields = ""
        if self.survey.lacksDate { fields += "Date: \(self.arrival.headerDate)\r\n" }
        if !self.survey.hasMessageID {
            let identifier = "<\(self.draft.id)@\(self.by)>"
            fields += "Message-ID: \(identifier)\r\n"
            self.addedMessageID = identifier
        }
        self.buffer.insert(contentsOf: fields.utf8, at: place)
        self.size += fields.utf8.count
    }

    /// Stages one chunk; `then` is called on the event loop, with a reply if the message must be refused.
    func stage(on eventLoop: any EventLoop, then: @escaping (SMTPReply?) -> Void) {
        if let refusal = self.refusal(ofStaging: QueueLimits.inlineBody) {
            // It waits for nothing: its client may take long to come to its end.
            self.buffer = []
            self.discardStaged()
            return then(refusal)
        }
        // What has gone has gone without them.
        self.addition = nil
        let stager = self.stager ?? BodyStager(self.intake.bodyWriter(self.draft))
        self.stager = stager
        let chunk = self.takeChunk()
        let intake = self.intake
        self.isStaging = true
        let staged = { (refusal: SMTPReply?) in
            self.isStaging = false
            if self.isAbandoned { self.discardStaged() }
            then(refusal)
        }
        self.submit(on: eventLoop, then: staged, refused: MessageIntake.shuttingDown) {
            do throws(QueueStoreError) {
                try await stager.write(chunk)
                return nil
            } catch {
                return intake.reply(for: error)
            }
        }
    }

    /// Stores the whole message; `then` is called on the event loop with the reply for the client.
    func store(on eventLoop: any EventLoop, then answer: @escaping (SMTPReply) -> Void) {
        let then = { (reply: SMTPReply) in
            // A COMMIT in doubt removes what is staged, too: whichever comes first, the body is kept whole or removed whole.
            if reply.isPositiveCompletion { self.share.moved().publish() } else { self.discardStaged() }
            answer(reply)
        }
        guard !self.survey.receivedFields.isLoop else { return then(MessageIntake.routingLoop) }
        if let refusal = self.sizeRefusal { return then(refusal) }
        // One without an empty line is all header section.
        self.addMissingFields()
        let rest = self.takeBuffer()
        guard !self.draft.entries.isEmpty else { return then(MessageIntake.noRecipients) }
        if self.stager != nil || rest.count > QueueLimits.inlineBody {
            if let refusal = self.refusal(ofStaging: rest.count) { return then(refusal) }
            self.stager = self.stager ?? BodyStager(self.intake.bodyWriter(self.draft))
        }
        let (intake, stager, draft) = (self.intake, self.stager, self.surveyed)
        self.submit(on: eventLoop, then: then, refused: MessageIntake.shuttingDown) {
            var message = draft
            do throws(QueueStoreError) {
                message.body = if let stager { .staged(try await stager.finish(rest)) } else { .inline(rest) }
            } catch {
                return intake.reply(for: error)
            }
            return await intake.store(message)
        }
    }

    /// Why the message can never fit, whoever else sends.
    private var sizeRefusal: SMTPReply? {
        guard self.size > self.sizeLimit else { return nil }
        return self.isCopied ? CopyBudget.tooLarge : CopyBudget.neverFits
    }

    /// Why no more of the body may be staged.
    private func refusal(ofStaging bytes: Int) -> SMTPReply? {
        if let refusal = self.sizeRefusal { return refusal }
        return self.share.take(bytes) ? nil : StagingBudget.noCapacity
    }

    /// The message is not wanted any more.
    func abandon() {
        self.buffer = []
        self.isAbandoned = true
        if !self.isStaging { self.discardStaged() }
    }

    /// Takes back what was staged, so that messages without an end do not fill the database. What cannot be taken back now is
    /// swept later.
    private func discardStaged() {
        guard let stager = self.stager.take() else { return self.share.moved().remove() }
        let (logger, share) = (self.intake.logger, self.share.moved())
        let isTaken = self.intake.supervisor.submit {
            defer { share.remove() }
            do throws(QueueStoreError) {
                try await stager.discard()
            } catch {
                logger.warning(
                    "chunks of an unfinished message were not deleted; maintenance deletes them later",
                    metadata: ["error": "\(error)"])
            }
        }
        if !isTaken { share.remove() }
    }

    /// The message with what its content turned out to be, whatever was declared: seven-bit text that was called
    /// eight-bit may go to any host. Eight-bit header fields that were not declared go on as eight-bit text, unchanged.
    /// To demand SMTPUTF8 for them would bounce the message to a sender whom a stranger named.
    private var surveyed: AcceptedMessage {
        var message = self.draft
        message.attributes.isEightBit = self.survey.isEightBit
        message.attributes.isSMTPUTF8 = self.isInternational && self.survey.hasInternationalHeader
        message.reception.messageIDField = self.survey.messageID ?? self.addedMessageID
        return message
    }

    /// One chunk as the database takes it, so that nothing is copied there; what is beyond it stays.
    private func takeChunk() -> [UInt8] {
        let rest = Array(self.buffer.dropFirst(QueueLimits.inlineBody))
        self.buffer.removeLast(rest.count)
        defer { self.buffer = rest }
        return self.buffer
    }

    private func takeBuffer() -> [UInt8] {
        defer { self.buffer = [] }
        return self.buffer
    }

    /// Runs `work` as a child of the node's supervisor, and comes back to the event loop with its result.
    private func submit<Value: Sendable>(
        on eventLoop: any EventLoop, then: @escaping (Value) -> Void, refused: Value,
        _ work: @escaping @Sendable () async -> Value
    ) {
        let promise = eventLoop.makePromise(of: Value.self)
        promise.futureResult.assumeIsolated().whenSuccess(then)
        if !self.intake.supervisor.submit({ promise.succeed(await work()) }) { promise.succeed(refused) }
    }

    /// One entry for each recipient domain, in the order in which the domains first came; each recipient once.
    static func entries(of recipients: [AdmittedRecipient]) -> [AcceptedEntry] {
        var domains: [DomainName] = []
        var united: [DomainName: UnitedRecipients] = [:]
        for recipient in recipients {
            if united[recipient.domain] == nil { domains.append(recipient.domain) }
            united[recipient.domain, default: UnitedRecipients(tellsOriginals: true)].add(
                EnvelopeRecipient(
                    recipient.path, notify: recipient.notify, originalRecipient: recipient.originalRecipient))
        }
        return domains.compactMap { domain in
            let stored = united[domain]?.all.compactMap { QueueRecipient($0) } ?? []
            return stored.isEmpty ? nil : AcceptedEntry(domain: domain, recipients: stored)
        }
    }
}

/// Keeps the writer of one body; its chunks are written one after another.
private actor BodyStager {
    private var writer: BodyWriter

    init(_ writer: BodyWriter) { self.writer = writer }

    func write(_ chunk: [UInt8]) async throws(QueueStoreError) {
        var writer = self.writer
        defer { self.writer = writer }
        try await writer.write(chunk)
    }

    func finish(_ rest: [UInt8]) async throws(QueueStoreError) -> StagedBody {
        try await self.write(rest)
        var writer = self.writer
        return try await writer.finish()
    }

    func discard() async throws(QueueStoreError) { try await self.writer.discard() }
}

extension Reception {
    fileprivate init(of client: ClientIdentity, _ hello: String?, by rule: AdmissionRule) {
        self.init()
        self.client = "\(client.address)"
        self.hello = hello.map(Reception.told)
        self.user = client.user.map(SafeText.escape)
        self.admittedBy = "\(rule)"
    }
}
