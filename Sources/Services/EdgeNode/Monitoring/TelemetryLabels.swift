import DANE
import DNSModel
import MailModel
import PostgresDriver
import Routing
import Telemetry
import TransportSecurity

// What the other layers say, in the fixed labels of metrics.

extension TLSVersionLabel {
    /// The label of OpenSSL's name of a version.
    init(_ version: String) { self = TLSVersionLabel(rawValue: version == "TLSv1" ? "TLSv1.0" : version) ?? .none }
}

extension RejectReason {
    /// The reason that a refusing reply is counted under; `nil` for one that refuses nothing.
    init?(_ reply: SMTPReply) {
        switch (reply.code, reply.enhancedStatus?.subject, reply.enhancedStatus?.detail) {
        // A drain or a deadline refuses nothing that the client said.
        case (..<400, _, _), (421, 3, 2): return nil
        case (503, _, _): self = .badSequence
        case (500...502, _, _), (555, _, _): self = .syntax
        case (552, _, _): self = .size
        case (550, 7, 0): self = .bounceRule
        case (_, 7, 1): self = .relayDenied
        case (535, _, _), (538, _, _), (454, 7, 0): self = .authentication
        case (452, 5, 3): self = .recipients
        case (452, 3, 1): self = .storage
        case (_, 1, 1): self = .unknownRecipient
        case (_, 4, 6): self = .routingLoop
        case (451, _, _), (452, _, _): self = .queue
        case (554, 6, 0): self = .badLineEnding
        case (421, 7, 0): self = .errors
        default: self = .other
        }
    }
}

extension RetryReason {
    /// The kind of failure that an entry waits for.
    init(_ failure: DeliveryFailure?) {
        switch failure?.reason {
        case .tlsaInvalid, .certificateExpired, .startTLSNotSupported: self = .dane
        case .dnssecInvalid: self = .dnssec
        case .dnsQueryFailed: self = .dns
        case .tlsHandshakeFailed, .certificateHostMismatch, .certificateNotTrusted: self = .tls
        case .remoteReply, .unsupportedByHost, .protocolViolation: self = .smtp
        case .connectionLost, .connectionTimeout, .connectionRefused, .hostUnreachable, .localNetwork:
            self = .connection
        case .noUsableRoute, .routingLoop, .nullMX, .noSuchDomain, .noSuchHost, .failedByOperator,
            .suspendedByOperator, nil:
            self = .other
        }
    }
}

extension DSNType {
    init(_ action: DeliveryStatusNotification.Action) {
        switch action {
        case .failed: self = .failure
        case .delayed: self = .delay
        case .relayed: self = .relayed
        }
    }
}

extension TLSAUsageLabel {
    /// The label of the usage that decided.
    init(_ usage: TLSARecord.CertificateUsage?) {
        switch usage {
        case nil: self = .none
        case .pkixTA?: self = .pkixTA
        case .pkixEE?: self = .pkixEE
        case .daneTA?: self = .daneTA
        case .daneEE?: self = .daneEE
        default: self = .other
        }
    }
}

extension TLSASelectorLabel {
    init(_ selector: TLSARecord.Selector) { self = TLSASelectorLabel(rawValue: "\(selector.rawValue)") ?? .other }
}

extension TLSAMatchingTypeLabel {
    init(_ type: TLSARecord.MatchingType) { self = TLSAMatchingTypeLabel(rawValue: "\(type.rawValue)") ?? .other }
}

extension TLSAUsable {
    init(_ judgement: TLSAJudgement) { if case .unusable = judgement { self = .unusable } else { self = .usable } }
}

extension DatabaseErrorClass {
    /// The class of an error.
    init(_ code: PostgresError.Code) {
        switch code {
        case .cannotConnect, .connectionLost, .ambiguousCommit: self = .connection
        case .readOnlyServer, .staleServer, .unsuitableServer: self = .wrongServer
        case .diskFull: self = .diskFull
        case .acquireTimeout, .tooManyWaiters, .statementTimeout: self = .timeout
        case .serializationFailure: self = .serialization
        case .uniqueViolation, .constraintViolation: self = .constraint
        case .resources: self = .resources
        default: self = .other
        }
    }
}

extension DANEVerificationResult {
    /// The verdict on a host that owed authentication; `nil` where it never came to that.
    init?(_ attempt: HostAttempt) {
        // What the operator demands beside DANE is no verdict of DANE's.
        if case .opportunistic? = attempt.host?.requirement, attempt.policy != .dane { return nil }
        // A failure speaks first: whatever was proven before it is not the verdict on this host.
        if let failure = attempt.failure?.failure, let result = Self(rawValue: failure.name) {
            self = result
        } else if attempt.established?.peer != nil {
            self = .verified
        } else {
            return nil
        }
    }
}
