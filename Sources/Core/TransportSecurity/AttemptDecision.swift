public import DANE
import DNSModel
public import MailModel
import Routing

/// What happened on the way to a session that may carry mail.
public enum AttemptEvent: Hashable, Sendable {
    /// No connection, or it ended before TLS was asked for; with `connectionLost` and the like.
    case connectionFailed(FailureReason)
    /// STARTTLS was not offered, or answered by anything but 220, such as 454 or 502 (rule 25).
    case startTLSUnavailable
    /// The handshake failed. So it has, too, where what followed the 220 of STARTTLS was not TLS, and where the connection
    /// ended before the first reply over TLS: a peer of TLS 1.3 refuses us only after our part of the handshake.
    case handshakeFailed
    /// The peer rejects the name that we sent in SNI (`unrecognized_name`, RFC 6066 §3).
    case serverNameRejected
    /// The handshake is done, and a usable TLSA record matched.
    case authenticated(DANEAuthenticatedPeer)
    /// The handshake is done; nobody was authenticated.
    case encrypted
    /// The handshake showed a chain that no usable TLSA record matches.
    case unauthenticated(DANEFault)
    /// The handshake is done, and the certificate was verified as the operator asks.
    case certified(CertifiedPeer)
    /// The handshake showed a certificate that does not prove what the operator asks for.
    case uncertified(CertificateFault)
}

/// What to do about it.
public enum AttemptDecision: Hashable, Sendable {
    /// Send the mail over this connection, which counts as so protected.
    case deliver(AuthenticationLabel)
    /// Leave this host for the next one.
    case nextHost(FailureReason)
    /// Connect to the same host again and send no name in SNI.
    case retrySameHostWithoutServerName
    /// Connect to the same host again and do not ask for TLS (rule 28).
    case retrySameHostInClear
}

extension AttemptRequirement {
    /// The decision. Where TLS is owed, no event leads to cleartext.
    public func decide(_ event: AttemptEvent) -> AttemptDecision {
        if case .connectionFailed(let failure) = event { return .nextHost(failure) }
        return switch self.tls {
        case .mustAuthenticate(let authentication): self.decide(event, authentication)
        case .mustVerify(let verification): self.decide(event, verification)
        case .mustEncrypt: self.decideEncrypt(event)
        case .opportunistic: self.decideOpportunistic(event)
        }
    }

    private func decide(_ event: AttemptEvent, _ authentication: DANEAuthentication) -> AttemptDecision {
        switch event {
        case .authenticated(let peer):
            // A proof counts for the records that were asked for, and for no others.
            guard authentication.accepts(peer) else { return .nextHost(.tlsaInvalid) }
            return .deliver(self.trust == .endToEnd ? .dane : .tls)
        case .unauthenticated(.certificateExpired): return .nextHost(.certificateExpired)
        // "Encrypted" without a proof is what a resumed session looks like (rule 26).
        case .unauthenticated(.noMatch), .encrypted, .certified, .uncertified: return .nextHost(.tlsaInvalid)
        case .startTLSUnavailable: return .nextHost(.startTLSNotSupported)
        // SNI is owed (rule 20).
        case .handshakeFailed, .serverNameRejected: return .nextHost(.tlsHandshakeFailed)
        case .connectionFailed(let failure): return .nextHost(failure)
        }
    }

    private func decide(_ event: AttemptEvent, _ verification: CertificateVerification) -> AttemptDecision {
        switch event {
        // A proof counts for what was asked for, and for nothing else.
        case .certified(let peer) where peer.verification == verification: .deliver(.tls)
        case .uncertified(.expired): .nextHost(.certificateExpired)
        case .uncertified(.wrongName): .nextHost(.certificateHostMismatch)
        case .uncertified(.notTrusted), .certified, .authenticated, .unauthenticated, .encrypted:
            .nextHost(.certificateNotTrusted)
        case .startTLSUnavailable: .nextHost(.startTLSNotSupported)
        case .handshakeFailed, .serverNameRejected: .nextHost(.tlsHandshakeFailed)
        case .connectionFailed(let failure): .nextHost(failure)
        }
    }

    private func decideEncrypt(_ event: AttemptEvent) -> AttemptDecision {
        switch event {
        case .authenticated, .encrypted, .unauthenticated, .certified, .uncertified: .deliver(.tls)
        case .startTLSUnavailable: .nextHost(.startTLSNotSupported)
        case .handshakeFailed, .serverNameRejected: .nextHost(.tlsHandshakeFailed)
        case .connectionFailed(let failure): .nextHost(failure)
        }
    }

    private func decideOpportunistic(_ event: AttemptEvent) -> AttemptDecision {
        switch event {
        case .authenticated, .encrypted, .unauthenticated, .certified, .uncertified: .deliver(.tls)
        case .startTLSUnavailable: .deliver(.none)
        case .handshakeFailed: .retrySameHostInClear
        case .serverNameRejected: .retrySameHostWithoutServerName
        case .connectionFailed(let failure): .nextHost(failure)
        }
    }
}

extension DANEAuthentication {
    /// Whether `peer` proved what is asked for here: a record of this set, at this base domain, and under DANE-TA one
    /// of these names.
    public func accepts(_ peer: DANEAuthenticatedPeer) -> Bool {
        guard self.records.contains(peer.matched), self.baseDomain == peer.baseDomain else { return false }
        guard peer.matched.usage != .daneEE else { return true }
        return peer.matchedName.map(self.referenceIdentifiers.contains) ?? false
    }
}
