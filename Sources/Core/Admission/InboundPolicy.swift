package import MailModel
package import Routing

/// Who may send what through this node: mail for accepted domains from anyone, everything else from clients that may relay.
package struct InboundPolicy: Sendable {
    /// The domains whose mail is taken from anyone.
    package var domains: [DomainName: AcceptedDomain]
    /// Networks that may relay to anywhere.
    package var relayNetworks: [CIDRBlock]
    /// Where the bare `<Postmaster>` goes; `nil` where no such mail is taken.
    package var postmaster: Mailbox?

    package init(domains: [DomainName: AcceptedDomain], relayNetworks: [CIDRBlock], postmaster: Mailbox? = nil) {
        self.domains = domains
        self.relayNetworks = relayNetworks
        self.postmaster = postmaster
    }

    /// Whether the client may relay to domains that are not ours.
    package func mayRelay(_ client: ClientIdentity) -> Bool { self.rule(for: client).mayRelay }

    /// The recipient as it is stored, or the refusal.
    ///
    /// Verification by list holds for everyone: a recipient that does not exist is nobody's, whoever asks.
    package func admit(_ path: ForwardPath, from client: ClientIdentity) -> Result<AdmittedRecipient, Refusal> {
        let recipient = self.route(path, from: client)
        // Where the bare Postmaster goes is the operator's word, and not looked up.
        guard let mailbox = path.mailbox else { return recipient }
        return recipient.flatMap { self.verified($0, mailbox) }
    }

    /// The recipient as it is stored, if the client may send there, whether it exists or not.
    package func route(_ path: ForwardPath, from client: ClientIdentity) -> Result<AdmittedRecipient, Refusal> {
        self.route(path, clientMayRelay: self.mayRelay(client))
    }

    /// The same for a recipient that has been answered 250: no change of networks and domains takes that back.
    package func routeAdmitted(_ path: ForwardPath) -> AdmittedRecipient? {
        try? self.route(path, clientMayRelay: true).get()
    }

    private func route(_ path: ForwardPath, clientMayRelay: Bool) -> Result<AdmittedRecipient, Refusal> {
        let decision = path.relayDecision(clientMayRelay: clientMayRelay) { self.domains[$0] != nil }
        switch decision {
        case .refuse(let reply): return .failure(Refusal(reply: reply))
        case .postmaster: return self.postmasterRecipient
        case .relay(let domain):
            guard let mailbox = path.mailbox else { return self.postmasterRecipient }
            // A source route has done its work once it has been judged.
            return .success(AdmittedRecipient(path: .mailbox(mailbox), domain: domain))
        }
    }

    /// Whether the DNS says where the mail of an accepted domain goes, which may be back to this node.
    package func isFoundByDNS(_ domain: DomainName) -> Bool {
        self.domains[domain].map { $0.nextHop?.address == nil } ?? false
    }

    /// The next hop of mail for `domain`; by its MX records unless the operator says otherwise.
    package func nextHop(for domain: DomainName, port: UInt16) -> NextHop {
        if let address = domain.literalAddress { return .literal(address, port: port) }
        return self.domains[domain]?.nextHop ?? .domain(domain, port: port)
    }

    /// Whether the operator has named the next hop of a domain.
    package func hasNextHop(_ domain: DomainName) -> Bool { self.domains[domain]?.nextHop != nil }

    /// Whether the operator has named a next hop by this address.
    package func hasNextHop(at address: IPAddress) -> Bool {
        self.domains.values.contains { $0.nextHop?.address == address }
    }

    private func verified(_ recipient: AdmittedRecipient, _ mailbox: Mailbox) -> Result<AdmittedRecipient, Refusal> {
        switch self.domains[recipient.domain]?.verification {
        case .list(let list) where !list.contains(mailbox):
            return .failure(Refusal(reply: Self.unknownRecipient))
        case .callAhead where !mailbox.isPostmaster:
            var recipient = recipient
            recipient.isToBeAsked = true
            return .success(recipient)
        case .list, .callAhead, nil:
            return .success(recipient)
        }
    }

    private var postmasterRecipient: Result<AdmittedRecipient, Refusal> {
        guard let postmaster, let domain = postmaster.domainName else {
            let status = EnhancedStatusCode(.permanentFailure, 1, 1)
            return .failure(Refusal(reply: SMTPReply(550, status, "No postmaster is configured")))
        }
        return .success(AdmittedRecipient(path: .mailbox(postmaster), domain: domain))
    }

    /// The mailbox is not in its domain's list.
    package static let unknownRecipient = SMTPReply(
        550, EnhancedStatusCode(.permanentFailure, 1, 1), "No such recipient here")

    /// A reply that refuses a recipient.
    package struct Refusal: Error { package let reply: SMTPReply }
}

/// A recipient that may pass, and the domain that its queue entry belongs to.
package struct AdmittedRecipient: Hashable, Sendable {
    package let path: ForwardPath
    package let domain: DomainName
    /// What the sender asked to be told of it.
    package var notify: NotifyConditions?
    package var originalRecipient: OriginalRecipient?
    /// It passes only if its domain's next hop would take it.
    package var isToBeAsked = false

    /// One of whom the sender has asked nothing.
    package init(path: ForwardPath, domain: DomainName) {
        self.path = path
        self.domain = domain
    }
}

extension Mailbox {
    /// `postmaster` of whatever domain exists everywhere (RFC 5321 §4.5.1).
    fileprivate var isPostmaster: Bool { self.localPart.lowercased() == "postmaster" }
}
