import Admission
import MailModel
import NIOCore
import NodeState
import SMTPProtocol
import ServiceSupport
import TLSEngine

extension InboundConnection {
    /// The client as policy sees it, by all that it has proved so far.
    var identity: ClientIdentity {
        ClientIdentity(
            self.client, user: self.session.authenticatedIdentity,
            certificateSubject: self.authenticatedClient?.subject)
    }

    /// Decides about one recipient: whether the client may send there, whether there is capacity, and whether the
    /// recipient exists. Only what the DNS or the next hop says may take time; the client's deadline rests meanwhile.
    func decide(_ path: ForwardPath, _ envelope: Envelope, _ context: ChannelHandlerContext) -> SMTPServerAction {
        self.recipientInQuestion = path
        let policy = self.environment.state.current.policy
        switch policy.admit(path, from: self.identity) {
        case .failure(let refusal):
            return self.session.recipientDecided(.refuse(refusal.reply))
        case .success(let recipient):
            // While the database is not well, nobody knows which rules are in force.
            if let refusal = self.environment.storageRefusal(envelope)
                ?? self.environment.ruleRefusal(recipient.domain, envelope.reversePath)
                ?? self.budgetRefusal(recipient, envelope, by: policy)
            {
                return self.session.recipientDecided(.refuse(refusal))
            }
            guard let question = self.question(about: recipient, by: policy) else {
                return self.session.recipientDecided(.accept)
            }
            let refused = recipient.isToBeAsked ? SMTPRecipientDecision.refuse(CallAheadVerdict.notNow) : .accept
            self.ask(context, refused: refused, question, then: { $0.session.recipientDecided($1) })
            return .waitForOwner
        }
    }

    /// What takes time to find out: whether the recipient's mail would come back to this node, and then whether its next hop
    /// would take it. `nil` where neither is asked.
    private func question(
        about recipient: AdmittedRecipient, by policy: InboundPolicy
    ) -> (@Sendable () async -> SMTPRecipientDecision)? {
        let isFoundByDNS = policy.isFoundByDNS(recipient.domain)
        let routeRefusal = isFoundByDNS ? self.environment.routeRefusal : nil
        let verifier = recipient.isToBeAsked ? self.environment.verifier : nil
        guard routeRefusal != nil || verifier != nil, let mailbox = recipient.path.mailbox else { return nil }
        return {
            if let refusal = await routeRefusal?(recipient.domain) { return .refuse(refusal) }
            return await verifier?.decide(mailbox, of: recipient.domain) ?? .accept
        }
    }

    /// What copies of one message may take up. Strangers do not learn how full the queue is: this, and what the storage refuses,
    /// comes after the question whether they may send at all.
    private func budgetRefusal(
        _ recipient: AdmittedRecipient, _ envelope: Envelope, by policy: InboundPolicy
    ) -> SMTPReply? {
        let mayRelay = policy.mayRelay(self.identity)
        let budget = self.environment.copyBudget(isRestricted: !mayRelay || envelope.reversePath == .null)
        guard budget.canHold(envelope.declaredSize) else { return CopyBudget.neverFits }
        let isOver = self.copies.isOver(budget, adding: recipient.domain, to: envelope)
        return isOver ? CopyBudget.tooManyDomains : nil
    }
}
