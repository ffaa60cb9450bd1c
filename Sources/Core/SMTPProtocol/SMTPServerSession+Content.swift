internal import MailModel

/// Content of messages, by DATA (RFC 5321 §4.1.1.4) and by BDAT (RFC 3030).
extension SMTPServerSession {
    // MARK: - DATA

    mutating func data(hasMoreInput: Bool) -> SMTPServerAction {
        // DATA is the last of a pipelined group (RFC 2920 §3.1): what follows it unasked could be content or commands.
        guard !hasMoreInput else { return self.close(SMTPServerReplies.spokeTooSoon) }
        guard let transaction else { return self.answer(SMTPServerReplies.badSequence) }
        // RFC 3030 §2 calls the state after DATA behind BDAT indeterminate. This is how it is determined.
        guard transaction.content == nil else { return self.abandon(self.answer(SMTPServerReplies.badSequence)) }
        guard !transaction.envelope.recipients.isEmpty else { return self.answer(SMTPServerReplies.noRecipients) }
        let decoder = self.content(of: transaction, .data)
        self.transaction?.content = decoder
        self.state = .receivingData
        return .beginMessage(transaction.envelope, SMTPServerReplies.goAhead)
    }

    mutating func receiveData(_ input: Span<UInt8>, _ content: inout [UInt8]) -> SMTPServerStep {
        guard let transaction, var decoder = transaction.content, decoder.framing == .data else {
            return SMTPServerStep(input.count, self.close(SMTPServerReplies.badSequence))
        }
        var dropped: [UInt8] = []
        let (consumed, isEnd) =
            transaction.refusal == nil ? decoder.decode(input, into: &content) : decoder.decode(input, into: &dropped)
        self.transaction?.content = decoder
        let isRefused = transaction.refusal != nil || decoder.fault != nil
        // Before the end is looked at, so that nothing depends on how much of the content comes at once.
        guard !isRefused || decoder.consumed <= self.mostContentBytes else {
            return SMTPServerStep(consumed, self.close(SMTPServerReplies.tooLarge))
        }
        guard !isEnd else {
            let fault = decoder.fault.map(SMTPServerReplies.refusal(of:))
            return SMTPServerStep(consumed, self.endContent(transaction.refusal ?? fault, size: decoder.size))
        }
        return SMTPServerStep(consumed, .needInput)
    }

    // MARK: - BDAT

    /// Begins a chunk. It is read to its end whatever becomes of it, since its bytes must not be taken for commands.
    /// One that is too large even to be dropped ends the connection.
    mutating func chunk(size: UInt64, isLast: Bool) -> SMTPServerAction {
        guard let transaction, !transaction.envelope.recipients.isEmpty else {
            guard let size = Int(exactly: size), size <= self.configuration.limits.discardedMessageBytes else {
                return self.close(SMTPServerReplies.badSequence)
            }
            self.state = .receivingChunk(
                SMTPServerChunk(size: size, isLast: isLast, refusal: SMTPServerReplies.badSequence))
            return .needInput
        }
        let decoder = self.content(of: transaction, .chunks)
        guard let size = Int(exactly: size), size <= self.mostContentBytes - decoder.consumed else {
            return self.close(SMTPServerReplies.tooLarge)
        }
        self.state = .receivingChunk(SMTPServerChunk(size: size, isLast: isLast))
        guard transaction.content == nil else { return .needInput }
        self.transaction?.content = decoder
        return .beginMessage(transaction.envelope, nil)
    }

    mutating func receiveChunk(
        _ input: Span<UInt8>, _ chunk: SMTPServerChunk, _ content: inout [UInt8]
    ) -> SMTPServerStep {
        var chunk = chunk
        let count = min(chunk.remaining, input.count)
        chunk.remaining -= count
        if chunk.refusal == nil, let transaction, transaction.refusal == nil {
            var decoder = self.content(of: transaction, .chunks)
            _ = decoder.decode(input.extracting(first: count), into: &content)
            if chunk.remaining == 0, chunk.isLast { decoder.end(into: &content) }
            self.transaction?.content = decoder
        }
        guard chunk.remaining == 0 else {
            self.state = .receivingChunk(chunk)
            return SMTPServerStep(count, .needInput)
        }
        return SMTPServerStep(count, self.chunkEnded(chunk))
    }

    private mutating func chunkEnded(_ chunk: SMTPServerChunk) -> SMTPServerAction {
        self.state = .commands
        guard chunk.refusal == nil, let transaction else {
            // A failed chunk is the end of its transaction, so that all that may follow it in the pipeline is 503.
            return self.abandon(self.answer(chunk.refusal ?? SMTPServerReplies.badSequence))
        }
        let decoder = self.content(of: transaction, .chunks)
        let refusal = transaction.refusal ?? decoder.fault.map(SMTPServerReplies.refusal(of:))
        if chunk.isLast || refusal != nil { return self.endContent(refusal, size: decoder.size) }
        let reply = SMTPServerReplies.chunkReceived(chunk.size)
        // An empty chunk brings no mail nearer.
        return chunk.size == 0 ? self.idle(reply) : .reply(reply)
    }

    // MARK: - Both

    /// What reads the content of a transaction, which begins with the first of it.
    private func content(
        of transaction: SMTPServerTransaction, _ framing: SMTPContentDecoder.Framing
    ) -> SMTPContentDecoder {
        if let decoder = transaction.content, decoder.framing == framing { return decoder }
        let limits = self.configuration.limits
        return SMTPContentDecoder(framing, lineLimit: limits.textLineBytes, sizeLimit: limits.messageBytes)
    }

    /// The most bytes that are read of one message.
    private var mostContentBytes: Int {
        self.configuration.limits.messageBytes + self.configuration.limits.discardedMessageBytes
    }

    /// The content is over. One reset after every end: nothing of this transaction is there for a RCPT or DATA after it.
    private mutating func endContent(_ refusal: SMTPReply?, size: Int) -> SMTPServerAction {
        self.state = .commands
        guard refusal == nil, let transaction else {
            return self.abandon(self.answer(refusal ?? SMTPServerReplies.badSequence))
        }
        self.resetTransaction()
        self.state = .storing
        return .messageEnded(transaction.envelope, size: size)
    }
}
