public import DANE

/// What a client owes to TLS, before it says anything of its own over a connection. It decides, too, how the TLS engine verifies
/// the peer; nothing stands between.
public enum TLSRequirement: Hashable, Sendable {
    /// Authenticate by DANE, or do not use the host (RFC 7672 §2.2). SNI is the base domain.
    case mustAuthenticate(DANEAuthentication)
    /// Have the peer's certificate verified, or do not use it. SNI is the name that is verified.
    case mustVerify(CertificateVerification)
    /// Encrypt, with whomever, or do not use the host.
    case mustEncrypt
    /// Encrypt where possible; cleartext otherwise (RFC 7435).
    case opportunistic
}

/// What a completed handshake has proved of the peer. The TLS engine makes it, and the proofs in it come from there alone.
public enum PeerProof: Hashable, Sendable {
    /// A usable TLSA record matched.
    case dane(DANEAuthenticatedPeer)
    /// The certificate was verified as was asked.
    case authority(CertifiedPeer)
    /// Nobody was authenticated. A resumed session proves no more (rule 26).
    case none
}

/// Why a handshake, or a connection over TLS, failed.
public enum TLSFault: Hashable, Sendable, CaseIterable {
    /// The chain led to a DANE-TA record or an authority, but a certificate in it has expired (rule 19: code 322).
    case certificateExpired
    /// The chain led to a DANE-TA record or an authority, but a certificate in it is not valid yet (323).
    case certificateNotYetValid
    /// The certificate names none of the reference identifiers (323).
    case nameMismatch
    /// No usable record matched what was presented (323).
    case noRecordMatched
    /// A record was near, but the chain to it does not hold: a bad signature, or a CA that is none. Or the
    /// chain leads to none of the authorities (323).
    case untrusted
    /// Nothing matched, and a limit kept certificates or records from being looked at (323).
    case chainBeyondLimit
    /// No common protocol version, cipher suite, group, signature algorithm or application protocol.
    case disagreement
    /// The peer does not know the name that we sent in SNI (`unrecognized_name`, RFC 6066 §3).
    case nameRejected
    /// The peer ended the handshake with an alert of another kind.
    case refusedByPeer
    /// The transport ended without close_notify.
    case truncated
    /// Nothing came in time.
    case timedOut
    /// What the peer sent is not TLS, or breaks its rules.
    case malformed
    /// The peer sent more than a limit allows: the size of its handshake or chain, or answers that it does not read.
    case limitExceeded
    /// Our own fault: memory, configuration.
    case internalError

    /// Whether it is the verdict on a chain: then the handshake was complete, and the peer showed that it speaks TLS.
    public var isOfChain: Bool {
        switch self {
        case .certificateExpired, .certificateNotYetValid, .nameMismatch, .noRecordMatched, .untrusted,
            .chainBeyondLimit:
            true
        case .disagreement, .nameRejected, .refusedByPeer, .truncated, .timedOut, .malformed, .limitExceeded,
            .internalError:
            false
        }
    }
}
