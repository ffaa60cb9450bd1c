import ClusterModel
import MailModel
import NIOCore
import QueueStore
import SMTPProtocol
import ServiceSupport
import ShardLeases

/// Sends one entry's message over a connection, in as many transactions as its recipients need.
///
/// No final dot is written before the attempt is on record, nor unless enough of the lease is left. No more of the message
/// is kept in memory than one chunk.
struct MessageTransfer {
    /// What all transfers of a node share.
    struct Means: Sendable {
        let store: any DeliveryStore
        let recorder: AttemptRecorder
        let leases: LeaseTable
        /// 8-bit content that nothing signs becomes 7-bit for hosts without 8BITMIME.
        let convertsEightBit: Bool
        let messagesPerConnection: Int
    }

    /// Recipients in a transaction where the host states no limit: each must take so many (RFC 5321 §4.5.3.1.8).
    private static let recipientsPerTransaction = 100
    /// Recipients in a transaction, whatever the host allows: their commands and replies stand in memory.
    private static let mostRecipientsPerTransaction = 1000

    let means: Means
    let entry: QueueEntry
    let term: ShardTerm
    let eventLoop: any EventLoop
    private var isOnRecord = false
    /// How the content becomes 7-bit, or why it does not; `nil` until a host needs it so.
    private var sevenBitPlan: Result<SevenBitPlan, SevenBitRefusal>?

    init(_ means: Means, entry: QueueEntry, term: ShardTerm, eventLoop: any EventLoop) {
        self.means = means
        self.entry = entry
        self.term = term
        self.eventLoop = eventLoop
    }

    /// One recipient of a transaction, and where it stands in the entry: more than once, if it was given under several names.
    private struct Addressee {
        var recipient: EnvelopeRecipient
        var positions: [Int]
    }

    /// Sends it to the recipients at these positions of the entry, to each address once, and notes in `attempt` what came of
    /// it.
    mutating func send(
        over link: inout PooledConnection, to positions: [Int], noting attempt: inout HostAttempt
    ) async {
        guard var waiting = self.addressees(at: positions) else {
            attempt.failure = HostFailure(.protocolViolation, "the stored envelope is unreadable")
            return
        }
        var limit = link.connection.capabilities.maximumRecipients ?? Self.recipientsPerTransaction
        limit = min(limit, Self.mostRecipientsPerTransaction)
        while !waiting.isEmpty {
            let batch = waiting.prefix(limit)
            link.messages += 1
            let ended = await self.transact(over: link.connection, batch.map(\.recipient), noting: &attempt)
            attempt.failure = ended.failure
            var surplus: [Addressee] = []
            for (addressee, outcome) in zip(batch, ended.outcomes) {
                guard let outcome else {
                    surplus.append(addressee)
                    continue
                }
                for position in addressee.positions { attempt.outcomes[position] = outcome }
            }
            // A host that has had enough recipients will have enough after as many the next time.
            limit = max(1, min(limit, batch.count - surplus.count))
            waiting = surplus + waiting.dropFirst(batch.count)
            guard attempt.failure == nil, link.connection.isReady else { break }
            if link.isUsedUp(after: self.means.messagesPerConnection) { break }
        }
        attempt.isCutShort = attempt.failure == nil && !waiting.isEmpty
    }

    // MARK: - One transaction

    private mutating func transact(
        over connection: any HostConnection, _ recipients: [EnvelopeRecipient], noting attempt: inout HostAttempt
    ) async -> OutboundConnection.Ended {
        guard var message = self.message(to: recipients) else {
            return .failed(HostFailure(.protocolViolation, "the stored envelope is unreadable"))
        }
        var conversion: SevenBitConversion?
        if self.means.convertsEightBit, message.needsConversion(for: connection.capabilities) {
            guard let plan = await self.planConversion() else {
                connection.quit()
                return .failed(HostFailure(.connectionLost, "the content cannot be read"))
            }
            message.convert(by: plan)
            conversion = (try? plan.get()).map { SevenBitConversion($0) }
        }
        // The database is asked while the peer reads the envelope.
        let beginning = connection.begin(message, on: self.eventLoop)
        let source = await self.prepare()
        let begun = await beginning.value
        guard self.isOnRecord else {
            connection.quit()
            attempt.isUnrecorded = true
            return .failed(HostFailure(.connectionLost, "not on record"))
        }
        switch begun {
        case .ended(let ended): return ended
        case nil: return .failed(HostFailure(.connectionLost))
        case .transferContent:
            return await self.transfer(source, convertedBy: conversion, over: connection, noting: &attempt)
        }
    }

    /// Reads the content once, to know before MAIL whether it can become 7-bit, and how large it is then; `nil` when it cannot
    /// be read.
    private mutating func planConversion() async -> Result<SevenBitPlan, SevenBitRefusal>? {
        if let plan = self.sevenBitPlan { return plan }
        var survey = SevenBitSurvey(size: self.entry.size)
        if survey.refusal == nil {
            var source = await BodySource.open(self.entry.key, in: self.means.store)
            reading: while survey.refusal == nil {
                switch await source.next() {
                case .chunk(let bytes): survey.consume(bytes)
                case .end: break reading
                case .unreadable: return nil
                }
            }
        }
        let plan = survey.finish()
        self.sevenBitPlan = plan
        return plan
    }

    /// Puts the attempt on record, once for all transactions, and reads the first of the content.
    private mutating func prepare() async -> BodySource {
        let (recorder, entry, epoch, store) = (self.means.recorder, self.entry, self.term.epoch, self.means.store)
        guard !self.isOnRecord else { return await BodySource.open(entry.key, in: store) }
        async let isOpened = recorder.open(entry, epoch: epoch)
        let source = await BodySource.open(entry.key, in: store)
        self.isOnRecord = await isOpened
        return source
    }

    /// Writes the content, and its end if that is still allowed.
    private func transfer(
        _ source: BodySource, convertedBy conversion: SevenBitConversion?, over connection: any HostConnection,
        noting attempt: inout HostAttempt
    ) async -> OutboundConnection.Ended {
        let isWhole = await self.write(source, convertedBy: conversion, to: connection)
        var isLeaseTooShort = false
        let refusal = isWhole ? "the lease is too short" : "the content cannot be read"
        let finished = await connection.finish(on: self.eventLoop, orBecause: refusal) {
            // Checked in the same turn of the event loop as the dot is written.
            isLeaseTooShort = !self.means.leases.permitsFinalDot(self.term)
            return isWhole && !isLeaseTooShort
        }.value
        // The fault is ours, and nothing was sent: the message is not put off for it.
        if isLeaseTooShort {
            attempt.isWithdrawn = true
            return .failed(HostFailure(.connectionLost, "the lease is too short"))
        }
        return finished ?? .failed(HostFailure(.connectionLost))
    }

    /// Writes the content, as far as the host wants it; `false` when it cannot be read.
    private func write(
        _ source: BodySource, convertedBy conversion: SevenBitConversion?, to connection: any HostConnection
    ) async -> Bool {
        var source = source
        var conversion = conversion
        while connection.takesContent {
            switch await source.next() {
            case .chunk(let bytes):
                let content = conversion?.convert(bytes) ?? bytes
                if !content.isEmpty { _ = await connection.write(content, on: self.eventLoop).value }
            case .end:
                guard var ending = conversion else { return true }
                guard let rest = ending.finish() else { return false }
                if !rest.isEmpty { _ = await connection.write(rest, on: self.eventLoop).value }
                return true
            case .unreadable: return false
            }
        }
        return true
    }

    /// Each address once; `nil` where one cannot be read.
    private func addressees(at positions: [Int]) -> [Addressee]? {
        var united = UnitedRecipients(tellsOriginals: false)
        var places: [[Int]] = []
        for position in positions {
            guard let recipient = self.entry.recipients[position].envelope else { return nil }
            let place = united.add(recipient)
            if place == places.count { places.append([]) }
            places[place].append(position)
        }
        return zip(united.all, places).map { Addressee(recipient: $0, positions: $1) }
    }

    private func message(to recipients: [EnvelopeRecipient]) -> SMTPClientMessage? {
        guard let reversePath = self.entry.reversePath else { return nil }
        let attributes = self.entry.attributes
        var message = SMTPClientMessage(
            reversePath: reversePath, recipients: recipients,
            body: attributes.isEightBit ? .eightBitMIME : .sevenBit, size: self.entry.size)
        message.hasInternationalHeader = attributes.isSMTPUTF8
        message.returnContent = attributes.dsnReturn
        message.envelopeID = attributes.envelopeID
        return message
    }
}

extension OutboundConnection.Ended {
    /// Nothing was decided.
    fileprivate static func failed(_ failure: HostFailure) -> Self { Self(failure: failure) }
}
