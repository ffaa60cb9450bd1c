import ClusterModel
package import ControlAPI
import MailModel
package import QueueStore
import SwiftProtobuf

extension ControlGetMessageResponse {
    package init(_ message: StoredMessage?) {
        self.init()
        if let message { self.message = ControlStoredMessage(message) }
    }

    package var stored: StoredMessage? {
        get throws(UnreadableQueueMessage) { self.hasMessage ? try self.message.value : nil }
    }
}

extension ControlStoredMessage {
    fileprivate init(_ message: StoredMessage) {
        self.init()
        self.message = "\(message.id)"
        self.shard = UInt32(message.shard.rawValue)
        self.sender = message.sender
        self.attributes = ControlMessageAttributes(message.attributes)
        self.size = UInt64(clamping: message.size)
        if let moment = message.finishedAt { self.finishedAt = .init(of: moment) }
    }

    fileprivate var value: StoredMessage {
        get throws(UnreadableQueueMessage) {
            StoredMessage(
                id: try read(self.message, "message") { MessageID($0) },
                shard: Shard(rawValue: Int16(clamping: self.shard)), sender: self.sender,
                attributes: self.attributes.value, size: Int(clamping: self.size),
                finishedAt: self.hasFinishedAt ? self.finishedAt.moment : nil)
        }
    }
}

extension ControlMessageAttributes {
    fileprivate init(_ attributes: MessageAttributes) {
        self.init()
        self.isEightBit = attributes.isEightBit
        self.isSmtputf8 = attributes.isSMTPUTF8
        self.requiresTls = attributes.requiresTLS
        if let content = attributes.dsnReturn { self.dsnReturn = content.rawValue }
        if let text = attributes.envelopeID { self.envelopeID = text }
        if let text = attributes.clientAddress { self.clientAddress = text }
        if let text = attributes.clientName { self.clientName = text }
        self.mayRelay = attributes.mayRelay
    }

    fileprivate var value: MessageAttributes {
        var attributes = MessageAttributes()
        attributes.isEightBit = self.isEightBit
        attributes.isSMTPUTF8 = self.isSmtputf8
        attributes.requiresTLS = self.requiresTls
        if self.hasDsnReturn { attributes.dsnReturn = ReturnContent(rawValue: self.dsnReturn) }
        if self.hasEnvelopeID { attributes.envelopeID = self.envelopeID }
        if self.hasClientAddress { attributes.clientAddress = self.clientAddress }
        if self.hasClientName { attributes.clientName = self.clientName }
        attributes.mayRelay = self.mayRelay
        return attributes
    }
}

extension ControlGetTraceResponse {
    package init(_ events: [TraceEvent]) {
        self.init()
        self.events = events.map { ControlTraceEvent($0) }
    }

    package var trace: [TraceEvent] {
        get throws(UnreadableQueueMessage) {
            var events: [TraceEvent] = []
            for event in self.events { events.append(try event.value) }
            return events
        }
    }
}

extension ControlTraceEvent {
    fileprivate init(_ event: TraceEvent) {
        self.init()
        self.kind = event.kind.rawValue
        if let moment = event.at { self.at = .init(of: moment) }
        self.node = event.node
        self.message = "\(event.message)"
        self.domain = event.domain.text
        self.recipients = event.recipients
        self.attempt = UInt32(clamping: event.attempt)
        if let text = event.mxHost { self.mxHost = text }
        if let text = event.address { self.address = text }
        if let text = event.dnssec { self.dnssec = text }
        if let text = event.requirement { self.requirement = text }
        self.setOutcome(event)
    }

    private mutating func setOutcome(_ event: TraceEvent) {
        if let text = event.tlsVersion { self.tlsVersion = text }
        if let text = event.cipher { self.cipher = text }
        if let text = event.tlsMatch { self.tlsMatch = text }
        if let text = event.tlsFailure { self.tlsFailure = text }
        if let text = event.reason { self.reason = text }
        if let status = event.status { self.status = "\(status)" }
        if let text = event.reply { self.reply = text }
        if let label = event.authentication { self.authentication = label.rawValue }
        if let time = event.duration { self.duration = .init(of: time) }
        if let moment = event.nextAttempt { self.nextAttempt = .init(of: moment) }
        if let text = event.sender { self.sender = text }
        if let size = event.size { self.size = UInt64(clamping: size) }
        if let reception = event.reception { self.reception = ControlReception(reception) }
    }

    fileprivate var value: TraceEvent {
        get throws(UnreadableQueueMessage) {
            var event = TraceEvent(
                try read(self.kind, "kind") { TraceEvent.Kind(rawValue: $0) }, node: self.node,
                message: try read(self.message, "message") { MessageID($0) },
                domain: try read(self.domain, "domain") { DomainName($0) }, recipients: self.recipients,
                attempt: Int(self.attempt))
            if self.hasAt { event.at = self.at.moment }
            if self.hasMxHost { event.mxHost = self.mxHost }
            if self.hasAddress { event.address = self.address }
            if self.hasDnssec { event.dnssec = self.dnssec }
            if self.hasRequirement { event.requirement = self.requirement }
            self.setOutcome(of: &event)
            return event
        }
    }

    private func setOutcome(of event: inout TraceEvent) {
        if self.hasTlsVersion { event.tlsVersion = self.tlsVersion }
        if self.hasCipher { event.cipher = self.cipher }
        if self.hasTlsMatch { event.tlsMatch = self.tlsMatch }
        if self.hasTlsFailure { event.tlsFailure = self.tlsFailure }
        if self.hasReason { event.reason = self.reason }
        if self.hasStatus { event.status = EnhancedStatusCode(self.status) }
        if self.hasReply { event.reply = self.reply }
        if self.hasAuthentication { event.authentication = AuthenticationLabel(rawValue: self.authentication) }
        if self.hasDuration { event.duration = self.duration.time }
        if self.hasNextAttempt { event.nextAttempt = self.nextAttempt.moment }
        if self.hasSender { event.sender = self.sender }
        if self.hasSize { event.size = Int(clamping: self.size) }
        if self.hasReception { event.reception = self.reception.value }
    }
}

extension ControlReception {
    fileprivate init(_ reception: Reception) {
        self.init()
        if let text = reception.client { self.client = text }
        if let text = reception.hello { self.hello = text }
        if let text = reception.user { self.user = text }
        if let text = reception.admittedBy { self.admittedBy = text }
        if let text = reception.messageIDField { self.messageIDField = text }
    }

    fileprivate var value: Reception {
        var reception = Reception()
        if self.hasClient { reception.client = self.client }
        if self.hasHello { reception.hello = self.hello }
        if self.hasUser { reception.user = self.user }
        if self.hasAdmittedBy { reception.admittedBy = self.admittedBy }
        if self.hasMessageIDField { reception.messageIDField = self.messageIDField }
        return reception
    }
}
