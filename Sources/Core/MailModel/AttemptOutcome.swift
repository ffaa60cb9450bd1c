/// What one attempt came to for one recipient, from a host's reply to trace row, metrics and report.
///
/// The client's session makes it where it reads a reply, or finds that the host does not offer what the message needs.
public enum AttemptOutcome: Hashable, Sendable {
    /// A host answers for the message to this recipient from now on.
    case delivered(Acceptance)
    /// Anything else; the class of its status says whether for good.
    case failed(DeliveryFailure)

    /// No other host is asked for this recipient: one has said 2yz or 5yz. A 4yz is no success (RFC 5321 §5.1), and nor is a host
    /// that cannot be given the message. The next address, and the next host, may do better.
    public var isLastWord: Bool {
        switch self {
        case .delivered: true
        case .failed(let failure): failure.reason == .remoteReply && failure.isPermanent
        }
    }

    /// Whether a host has taken the message.
    public var isDelivered: Bool { if case .delivered = self { true } else { false } }

    /// The same, told of this host.
    public func of(host: String?) -> AttemptOutcome {
        switch self {
        case .delivered(var acceptance):
            acceptance.host = host
            return .delivered(acceptance)
        case .failed(let failure): return .failed(failure.of(host: host))
        }
    }
}

/// A host's word that it answers for a message to one recipient from now on.
public struct Acceptance: Hashable, Sendable {
    /// The host, if it has a name or an address that is known.
    public fileprivate(set) var host: String?
    /// The enhanced code of its reply, or 2.0.0.
    public let status: EnhancedStatusCode
    /// Its reply on one line.
    public let reply: String
    /// The three digits of the reply.
    public let replyCode: UInt16
    /// It offered DSN and was told what the sender wants to hear, so that reports are its duty (RFC 3461 §5.2.1).
    public let takesOverReports: Bool

    /// An acceptance.
    public init(
        host: String? = nil, status: EnhancedStatusCode = EnhancedStatusCode(.success, 0, 0), reply: String,
        replyCode: UInt16 = 250, takesOverReports: Bool
    ) {
        self.host = host
        self.status = status
        self.reply = reply
        self.replyCode = replyCode
        self.takesOverReports = takesOverReports
    }
}
