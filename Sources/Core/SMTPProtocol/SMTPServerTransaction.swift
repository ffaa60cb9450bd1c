internal import MailModel

/// A mail transaction (RFC 5321 §3.3): whatever belongs to it is here, and so is forgotten with it.
struct SMTPServerTransaction: Hashable, Sendable {
    var envelope: Envelope
    /// The content, once it has begun; the owner then holds what there is of it.
    var content: SMTPContentDecoder?
    /// The owner's refusal of content that is still to come.
    var refusal: SMTPReply?

    init(_ envelope: Envelope) { self.envelope = envelope }
}

/// A chunk that is being read (BDAT, RFC 3030 §2).
struct SMTPServerChunk: Hashable, Sendable {
    let size: Int
    let isLast: Bool
    /// The chunk belongs to no message: it is dropped, and this is the answer at its end.
    let refusal: SMTPReply?
    var remaining: Int

    init(size: Int, isLast: Bool, refusal: SMTPReply? = nil) {
        self.size = size
        self.isLast = isLast
        self.refusal = refusal
        self.remaining = size
    }
}
