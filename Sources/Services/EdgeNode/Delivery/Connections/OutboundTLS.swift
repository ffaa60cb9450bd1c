import DANE
import MailModel
import SMTPProtocol
import TLSEngine
import TransportSecurity

/// How one connection uses TLS: as its requirement says, or less after an opportunistic handshake failed.
struct OutboundTLS: Sendable {
    /// What a connection offers. Each further connection to the host offers less, so that there are at most three.
    enum Offer: Int, Comparable {
        /// TLS, as the requirement says.
        case full
        /// TLS without a name in SNI, which the host rejected. Never where TLS is owed.
        case withoutServerName
        /// No TLS, since an opportunistic handshake failed (rule 28). Never where TLS is owed.
        case cleartext

        static func < (one: Offer, other: Offer) -> Bool { one.rawValue < other.rawValue }
    }

    let context: TLSClientContext
    let offer: Offer

    /// What the SMTP session is told.
    func sessionRequirement(_ requirement: AttemptRequirement) -> SMTPClientTLSRequirement {
        switch requirement.tls {
        case .mustAuthenticate, .mustVerify, .mustEncrypt: .required
        case .opportunistic: self.offer == .cleartext ? .none : .opportunistic
        }
    }

    /// What the TLS engine is told.
    func engineRequirement(_ requirement: AttemptRequirement) -> TLSClientRequirement {
        switch requirement.tls {
        case .mustAuthenticate(let authentication): .authenticate(authentication)
        case .mustVerify(let verification): .verify(verification)
        case .mustEncrypt: .encrypt(serverName: requirement.serverName)
        case .opportunistic: .opportunistic(serverName: self.offer == .full ? requirement.serverName : nil)
        }
    }

    /// What the outcome of a handshake means for the attempt.
    func event(_ outcome: TLSClientOutcome, _ requirement: AttemptRequirement) -> AttemptEvent {
        if case .failed(let failure, _) = outcome, failure.reason == .nameRejected, self.offer == .full,
            requirement.serverName != nil
        {
            return .serverNameRejected
        }
        if case .mustVerify = requirement.tls, case .failed(let failure, _) = outcome,
            let fault = CertificateFault(failure)
        {
            return .uncertified(fault)
        }
        return AttemptEvent(outcome)
    }
}

/// A connection that may carry mail, and what it proved.
struct Established: Hashable, Sendable {
    let label: AuthenticationLabel
    let info: TLSConnectionInfo?
    let peer: DANEAuthenticatedPeer?
    /// What it proved by its certificate, where the operator asks for that.
    let certified: CertifiedPeer?
    /// Authentication was owed until OpenSSL found each of the records unusable.
    var isWithoutUsableRecords = false
    /// Why there is no TLS although the host offers it.
    var abandonedTLS: AbandonedTLS?
    /// Why TLS was asked for without our name for the host in SNI.
    var rejectedName: AbandonedTLS?

    init(label: AuthenticationLabel, outcome: TLSClientOutcome? = nil) {
        self.label = label
        switch outcome {
        case .verified(let peer, let info): (self.peer, self.certified, self.info) = (peer, nil, info)
        case .certified(let peer, let info): (self.peer, self.certified, self.info) = (nil, peer, info)
        case .encrypted(let info): (self.peer, self.certified, self.info) = (nil, nil, info)
        case .failed, nil: (self.peer, self.certified, self.info) = (nil, nil, nil)
        }
    }
}

extension AttemptEvent {
    /// What a handshake's outcome means for the attempt.
    init(_ outcome: TLSClientOutcome) {
        switch outcome {
        case .verified(let peer, _): self = .authenticated(peer)
        case .certified(let peer, _): self = .certified(peer)
        case .encrypted: self = .encrypted
        case .failed(let failure, _):
            switch failure.reason {
            case .certificateExpired: self = .unauthenticated(.certificateExpired)
            case .certificateNotYetValid, .nameMismatch, .noRecordMatched, .untrusted:
                self = .unauthenticated(.noMatch)
            // The handshake was complete, and a limit kept certificates or records from being looked at.
            case .limitExceeded where failure.connection != nil: self = .unauthenticated(.noMatch)
            case .disagreement, .nameRejected, .refusedByPeer, .truncated, .timedOut, .malformed, .limitExceeded,
                .internalError:
                self = .handshakeFailed
            }
        }
    }
}

extension CertificateFault {
    /// What is wrong with the certificate, where that is why a handshake failed.
    fileprivate init?(_ failure: TLSFailure) {
        switch failure.reason {
        case .certificateExpired: self = .expired
        case .nameMismatch: self = .wrongName
        case .certificateNotYetValid, .noRecordMatched, .untrusted: self = .notTrusted
        // The handshake was complete, and the chain too long to be looked at.
        case .limitExceeded where failure.connection != nil: self = .notTrusted
        case .disagreement, .nameRejected, .refusedByPeer, .truncated, .timedOut, .malformed, .limitExceeded,
            .internalError:
            return nil
        }
    }
}

extension TLSClientOutcome {
    /// Why it failed, if it did.
    var failure: TLSFailure? { if case .failed(let failure, _) = self { failure } else { nil } }
}
