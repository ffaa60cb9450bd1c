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
    /// The handshake is done, and this is what it has proved.
    case established(PeerProof)
    /// The handshake failed. So it has, too, where what followed the 220 of STARTTLS was not TLS, and where the
    /// connection ended before the first reply over TLS. A peer of TLS 1.3 refuses us only after our part of the
    /// handshake.
    case handshakeFailed(TLSFault)
}

/// What a connection offers of TLS. Each further connection to a host offers less, so that there are at most three.
public enum TLSOffer: Int, Hashable, Sendable, Comparable {
    /// TLS, as the requirement says.
    case full
    /// TLS without a name in SNI, which the host rejected. Never where TLS is owed.
    case withoutServerName
    /// No TLS, since an opportunistic handshake failed (rule 28). Never where TLS is owed.
    case cleartext

    public static func < (one: TLSOffer, other: TLSOffer) -> Bool { one.rawValue < other.rawValue }
}

/// What to do about it.
public enum AttemptDecision: Hashable, Sendable {
    /// Send the mail over this connection, which counts as so protected.
    case deliver(AuthenticationLabel)
    /// Leave this host for the next one.
    case nextHost(FailureReason)
    /// Connect to the same host again and offer less.
    case retrySameHost(TLSOffer)
}

extension AttemptRequirement {
    /// The decision about a connection that made this offer. Where TLS is owed, no event leads to cleartext.
    public func decide(_ event: AttemptEvent, offering offer: TLSOffer = .full) -> AttemptDecision {
        switch event {
        case .connectionFailed(let failure): return .nextHost(failure)
        case .startTLSUnavailable:
            return self.tls == .opportunistic ? .deliver(.none) : .nextHost(.startTLSNotSupported)
        case .established(let proof): return self.decide(proof)
        case .handshakeFailed(let fault):
            guard self.tls == .opportunistic else { return .nextHost(self.reason(of: fault)) }
            // Whoever does not know the name may still speak TLS.
            let isNamed = fault == .nameRejected && offer == .full && self.serverName != nil
            return .retrySameHost(isNamed ? .withoutServerName : .cleartext)
        }
    }

    private func decide(_ proof: PeerProof) -> AttemptDecision {
        switch (self.tls, proof) {
        // A proof counts for what was asked for, and for nothing else.
        case (.mustAuthenticate(let authentication), .dane(let peer)) where authentication.accepts(peer):
            .deliver(self.trust == .endToEnd ? .dane : .tls)
        case (.mustAuthenticate, _): .nextHost(.tlsaInvalid)
        case (.mustVerify(let verification), .authority(let peer)) where peer.verification == verification:
            .deliver(.tls)
        case (.mustVerify, _): .nextHost(.certificateNotTrusted)
        case (.mustEncrypt, _), (.opportunistic, _): .deliver(.tls)
        }
    }

    /// Why a host is left where TLS is owed.
    private func reason(of fault: TLSFault) -> FailureReason {
        guard fault.isOfChain else { return .tlsHandshakeFailed }
        switch (self.tls, fault) {
        case (.mustAuthenticate, .certificateExpired), (.mustVerify, .certificateExpired): return .certificateExpired
        case (.mustAuthenticate, _): return .tlsaInvalid
        case (.mustVerify, .nameMismatch): return .certificateHostMismatch
        case (.mustVerify, _): return .certificateNotTrusted
        // Nobody looks at a chain there.
        case (.mustEncrypt, _), (.opportunistic, _): return .tlsHandshakeFailed
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
