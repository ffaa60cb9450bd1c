import DANE
import MailModel

/// Who may send what through this node: accepted domains from anyone, everything else from relay networks only.
struct InboundPolicy: Sendable {
    /// Where the mail of each accepted domain goes; `nil` is by its MX records.
    let acceptedDomains: [DomainName: NextHop?]
    /// Networks that may relay to anywhere.
    let relayNetworks: [CIDRBlock]
    /// Where the bare `<Postmaster>` goes.
    let postmaster: Mailbox

    /// Whether the client may relay to domains that are not ours.
    func mayRelay(_ client: IPAddress) -> Bool { self.relayNetworks.contains { $0.contains(client) } }

    /// The recipient as it is stored, or the refusal.
    func admit(_ path: ForwardPath, from client: IPAddress) -> Result<AdmittedRecipient, Refusal> {
        let decision = path.relayDecision(clientMayRelay: self.mayRelay(client)) { self.acceptedDomains[$0] != nil }
        switch decision {
        case .refuse(let reply): return .failure(Refusal(reply: reply))
        case .postmaster: return self.postmasterRecipient
        case .relay(let domain):
            // A source route has done its work once it has been judged.
            let recipient = path.mailbox.map { ForwardPath.mailbox($0) } ?? path
            return .success(AdmittedRecipient(path: recipient, domain: domain))
        }
    }

    /// The next hop of mail for `domain`; by its MX records unless the operator says otherwise.
    func nextHop(for domain: DomainName, port: UInt16) -> NextHop {
        if let configured = self.acceptedDomains[domain], let hop = configured { return hop }
        return .domain(domain, port: port)
    }

    private var postmasterRecipient: Result<AdmittedRecipient, Refusal> {
        guard let domain = self.postmaster.domainName else {
            let status = EnhancedStatusCode(.permanentFailure, 1, 1)
            return .failure(Refusal(reply: SMTPReply(550, status, "No postmaster is configured")))
        }
        return .success(AdmittedRecipient(path: .mailbox(self.postmaster), domain: domain))
    }

    /// A reply that refuses a recipient.
    struct Refusal: Error { let reply: SMTPReply }
}

/// A recipient that may pass, and the domain that its queue entry belongs to.
struct AdmittedRecipient: Hashable, Sendable {
    let path: ForwardPath
    let domain: DomainName
    /// What the sender asked to be told of it.
    var notify: NotifyConditions?
    var originalRecipient: OriginalRecipient?
}
