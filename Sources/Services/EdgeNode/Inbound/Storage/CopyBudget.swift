import MailModel

/// How much one message may take up in the queue, where it is stored once for each shard that its recipients' domains are
/// in. Recipients beyond that are answered 452, and the client sends the message to them again.
struct CopyBudget: Hashable, Sendable {
    /// Bytes of all copies together; 0 is without limit.
    let bytes: Int
    /// The shards of the queue: there are never more copies.
    let shards: Int
    /// What a message may have that does not say how large it is.
    let maximumMessageBytes: Int

    /// Nothing is refused.
    static let unlimited = CopyBudget(bytes: 0, shards: 1, maximumMessageBytes: .max)

    /// The most copies of a message of this declared size; at least one, for a message may be as large as it may be.
    func copies(of declaredSize: Int?) -> Int {
        guard self.bytes > 0 else { return .max }
        let size = max(1, declaredSize ?? self.maximumMessageBytes)
        let copies = max(1, self.bytes / size)
        return copies >= self.shards ? .max : copies
    }

    /// The most bytes that a message may turn out to have whose recipients are in so many domains. What was declared counts
    /// for nothing here: a client may declare little and send much.
    func messageBytes(forDomains domains: Int) -> Int {
        guard self.bytes > 0 else { return .max }
        let copies = self.mostCopies(forDomains: domains)
        return copies == 1 ? .max : self.bytes / copies
    }

    /// The most copies of a message whose recipients are in so many domains.
    func mostCopies(forDomains domains: Int) -> Int { max(1, min(domains, self.shards)) }

    /// The recipient would need one copy too many.
    static let tooManyDomains = SMTPReply(
        452, EnhancedStatusCode(.persistentTransientFailure, 5, 3),
        "Too many domains for a message of this size, send these again")

    /// The message is larger than was declared, and too large for so many domains.
    static let tooLarge = SMTPReply(
        552, EnhancedStatusCode(.permanentFailure, 3, 4), "Message is larger than declared, for so many domains")
}

/// The domains of one transaction, counted as its recipients come.
struct CopyCounter {
    private var counted = 0
    private var domains: Set<DomainName> = []

    /// Whether a recipient in `domain` would make more copies of the message than there may be.
    mutating func isOver(_ budget: CopyBudget, adding domain: DomainName, to envelope: Envelope) -> Bool {
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
