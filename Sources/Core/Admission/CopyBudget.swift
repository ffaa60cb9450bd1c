package import MailModel

/// How much one message may take up in the queue, where it is stored once for each shard that its recipients' domains are
/// in. Recipients beyond that are answered 452, and the client sends the message to them again.
///
/// Bodies over `inlineBytes` are staged too. So their copies must fit into what its client can have of the staged bytes
/// while nobody else has any. Otherwise the client would be told to try later for ever.
package struct CopyBudget: Hashable, Sendable {
    /// Bytes of all copies together; 0 is without limit.
    package let bytes: Int
    /// The shards of the queue: there are never more copies.
    package let shards: Int
    /// What a message may have that does not say how large it is.
    package let maximumMessageBytes: Int
    /// Bytes of all copies together that can be staged; 0 is without limit. See `StagingState.most`.
    package var stagedBytes = 0
    /// Bytes of a body that is stored with its message, and not staged.
    package let inlineBytes: Int

    package init(bytes: Int, shards: Int, maximumMessageBytes: Int, inlineBytes: Int) {
        self.bytes = bytes
        self.shards = shards
        self.maximumMessageBytes = maximumMessageBytes
        self.inlineBytes = inlineBytes
    }

    /// Copies are not limited.
    package static func unlimited(inlineBytes: Int) -> CopyBudget {
        CopyBudget(bytes: 0, shards: 1, maximumMessageBytes: .max, inlineBytes: inlineBytes)
    }

    /// Whether one copy of a message of this declared size can ever fit.
    package func canHold(_ declaredSize: Int?) -> Bool {
        guard let declaredSize, declaredSize > self.inlineBytes, self.stagedBytes > 0 else { return true }
        return declaredSize <= self.stagedBytes
    }

    /// The most copies of a message of this declared size; at least one, for a message may be as large as it may be.
    package func copies(of declaredSize: Int?) -> Int {
        let size = max(1, declaredSize ?? self.maximumMessageBytes)
        var bytes = self.bytes > 0 ? self.bytes : .max
        if size > self.inlineBytes, self.stagedBytes > 0 { bytes = min(bytes, self.stagedBytes) }
        let copies = max(1, bytes / size)
        return copies >= self.shards ? .max : copies
    }

    /// The most bytes that a message may turn out to have whose recipients are in so many domains. What was declared counts
    /// for nothing here: a client may declare little and send much.
    package func messageBytes(forDomains domains: Int) -> Int {
        let copies = self.mostCopies(forDomains: domains)
        let stored = self.bytes > 0 && copies > 1 ? self.bytes / copies : .max
        let staged = self.stagedBytes > 0 ? max(self.inlineBytes, self.stagedBytes / copies) : .max
        return min(stored, staged)
    }

    /// The most copies of a message whose recipients are in so many domains.
    package func mostCopies(forDomains domains: Int) -> Int { max(1, min(domains, self.shards)) }

    /// The recipient would need one copy too many.
    package static let tooManyDomains = SMTPReply(
        452, EnhancedStatusCode(.persistentTransientFailure, 5, 3),
        "Too many domains for a message of this size, send these again")

    /// The message is larger than was declared, and too large for so many domains.
    package static let tooLarge = SMTPReply(
        552, EnhancedStatusCode(.permanentFailure, 3, 4), "Message is larger than declared, for so many domains")

    /// One copy of the message is more than its client can ever have of the staged bytes.
    package static let neverFits = SMTPReply(
        552, EnhancedStatusCode(.permanentFailure, 3, 4), "Message is larger than this host takes from this client")
}

/// The domains of one transaction, counted as its recipients come.
package struct CopyCounter {
    private var counted = 0
    private var domains: Set<DomainName> = []

    /// Nothing has been counted.
    package init() {}

    /// Whether a recipient in `domain` would make more copies of the message than there may be.
    package mutating func isOver(_ budget: CopyBudget, adding domain: DomainName, to envelope: Envelope) -> Bool {
        let allowed = budget.copies(of: envelope.declaredSize)
        guard allowed < .max else { return false }
        // Fewer recipients than before: another transaction.
        if envelope.recipients.count < self.counted { self = CopyCounter() }
        for recipient in envelope.recipients[self.counted...] {
            // The bare postmaster has none: at most one domain more, which the bound on the content counts.
            if let domain = recipient.path.mailbox?.queueDomain { self.domains.insert(domain) }
        }
        self.counted = envelope.recipients.count
        return !self.domains.contains(domain) && self.domains.count >= allowed
    }
}
