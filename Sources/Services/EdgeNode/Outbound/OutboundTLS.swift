import DANE
import MailModel
import SMTPProtocol
import TLSEngine
import TransportSecurity

/// How one connection uses TLS: as its requirement says, or not at all after an opportunistic handshake failed.
struct OutboundTLS: Sendable {
    let context: TLSClientContext
    /// A second connection to a host whose opportunistic handshake failed (rule 28). Never where TLS is owed.
    let isForbidden: Bool

    /// What the SMTP session is told.
    func sessionRequirement(_ requirement: AttemptRequirement) -> SMTPClientTLSRequirement {
        switch requirement.tls {
        case .mustAuthenticate, .mustEncrypt: .required
        case .opportunistic: self.isForbidden ? .none : .opportunistic
        }
    }

    /// What the TLS engine is told.
    func engineRequirement(_ requirement: AttemptRequirement) -> TLSClientRequirement {
        switch requirement.tls {
        case .mustAuthenticate(let authentication): .authenticate(authentication)
        case .mustEncrypt: .encrypt(serverName: requirement.serverName)
        case .opportunistic: .opportunistic(serverName: requirement.serverName)
        }
    }
}

/// A connection that may carry mail, and what it proved.
struct Established: Hashable, Sendable {
    let label: AuthenticationLabel
    let info: TLSConnectionInfo?
    let peer: DANEAuthenticatedPeer?

    init(label: AuthenticationLabel, outcome: TLSClientOutcome? = nil) {
        self.label = label
        switch outcome {
        case .verified(let peer, let info): (self.peer, self.info) = (peer, info)
        case .encrypted(let info): (self.peer, self.info) = (nil, info)
        case .failed, nil: (self.peer, self.info) = (nil, nil)
        }
    }
}

extension AttemptEvent {
    /// What a handshake's outcome means for the attempt.
    init(_ outcome: TLSClientOutcome) {
        switch outcome {
        case .verified(let peer, _): self = .authenticated(peer)
        case .encrypted: self = .encrypted
        case .failed(let failure, _):
            switch failure.reason {
            case .certificateExpired: self = .unauthenticated(.certificateExpired)
            case .certificateNotYetValid, .nameMismatch, .noRecordMatched, .untrusted:
                self = .unauthenticated(.noMatch)
            // The handshake was complete, and a limit kept certificates or records from being looked at.
            case .limitExceeded where failure.connection != nil: self = .unauthenticated(.noMatch)
            case .disagreement, .refusedByPeer, .truncated, .malformed, .limitExceeded, .internalError:
                self = .handshakeFailed
            }
        }
    }
}

extension TLSClientOutcome {
    /// Why it failed, if it did.
    var failure: TLSFailure? { if case .failed(let failure, _) = self { failure } else { nil } }
}
