public import MailModel

extension AttemptOutcome {
    /// A reply to what ends a message, or to a command before. `supportsDSN`: the host was told what the sender wants to hear,
    /// and reports from here on (RFC 3461 §5.2.1); else that is up to us (§5.2.2).
    public init(_ reply: RemoteReply, supportsDSN: Bool = false) {
        guard reply.isPositiveCompletion else {
            self = .failed(DeliveryFailure(reply))
            return
        }
        self = .delivered(
            Acceptance(
                status: EnhancedStatusCode(of: reply), reply: "\(reply)", replyCode: reply.code,
                takesOverReports: supportsDSN))
    }

    /// The host was not asked, since it does not offer what the message needs. Another host may.
    public init(_ limitation: HostLimitation) {
        self = .failed(DeliveryFailure(.unsupportedByHost, "\(limitation)", status: limitation.status))
    }
}

extension DeliveryFailure {
    /// A host's refusal.
    ///
    /// - Parameter isOfService: it refuses its service, not the message. Whatever its code, the next host, or this one later,
    ///   may take the message.
    public init(_ reply: RemoteReply, isOfService: Bool = false) {
        let (status, words) = (EnhancedStatusCode(of: reply), "\(reply)")
        self.init(
            .remoteReply, words, status: isOfService ? status.with(class: .persistentTransientFailure) : status,
            reply: words, replyCode: reply.code)
    }
}

extension EnhancedStatusCode {
    /// The status of a reply: its own code where that agrees with the reply code, else `x.0.0`.
    fileprivate init(of reply: RemoteReply) {
        let `class`: Class =
            switch reply.severity {
            case .permanentNegative: .permanentFailure
            case .transientNegative: .persistentTransientFailure
            case .positiveCompletion, .positiveIntermediate: .success
            }
        if let status = reply.enhancedStatus, status.class == `class` {
            self = status
        } else {
            self.init(`class`, 0, 0)
        }
    }
}
