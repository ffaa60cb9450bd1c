import Admission
import MailModel
import NIOCore
import NodeState
import SMTPProtocol
import ServiceSupport
import Telemetry

extension InboundConnection {
    func beginMessage(_ envelope: Envelope, _ reply: SMTPReply?, _ context: ChannelHandlerContext) {
        let policy = self.environment.state.current.policy
        let rule = policy.rule(for: self.identity)
        var envelope = envelope
        if !rule.mayRelay { envelope.limitReports() }
        let recipients = envelope.recipients.compactMap { recipient -> AdmittedRecipient? in
            // RCPT has been answered 250: what has been replaced meanwhile takes nothing back.
            guard var admitted = policy.routeAdmitted(recipient.path) else { return nil }
            admitted.notify = recipient.notify
            admitted.originalRecipient = recipient.originalRecipient
            return admitted
        }
        self.message = IncomingMessage(
            envelope: envelope, recipients: recipients, from: self.identity, by: rule, tls: self.session.tls,
            environment: self.environment)
        guard let reply else { return }
        reply.serialise(into: &self.replies)
        self.flush(context)
    }

    /// Hands a full chunk of content on. `true` when reading must wait for it.
    func stageContent(_ context: ChannelHandlerContext) -> Bool {
        guard let message = self.message else { return false }
        let isFull = message.append(&self.content)
        guard isFull else { return false }
        self.isWaiting = true
        let bound = context.loopBound
        message.stage(on: context.eventLoop) { refusal in
            self.isWaiting = false
            if let refusal { self.session.refuseRestOfMessage(refusal) }
            if !self.isClosing { self.process(bound.value) }
        }
        return true
    }

    func store(_ context: ChannelHandlerContext) {
        self.flush(context)
        guard let message = self.message else { return context.close(promise: nil) }
        self.message = nil
        _ = message.append(&self.content)
        // A client may idle for long after its message.
        self.content = []
        self.isWaiting = true
        let bound = context.loopBound
        message.store(on: context.eventLoop) { reply in
            self.isWaiting = false
            guard !self.isClosing else { return }
            self.formerSender = message.sender
            let goesOn = self.perform(self.session.messageStored(reply), bound.value)
            self.formerSender = nil
            if goesOn { self.process(bound.value) }
        }
    }

    /// The session refused the message, or the client gave it up by RSET, EHLO or QUIT.
    func dropMessage(_ reply: SMTPReply) { self.dropMessage(reply.isPositiveCompletion ? .aborted : .rejected) }

    func dropMessage(_ result: InboundMessageResult) {
        self.content.removeAll()
        guard let message = self.message else { return }
        self.message = nil
        self.environment.metrics.smtpdMessages.increment(result)
        message.abandon()
    }
}
