public import Cryptography
public import DANE
public import MailModel
public import TransportSecurity

/// What one outbound connection must prove about its peer, and the name that goes into SNI.
public enum TLSClientRequirement: Hashable, Sendable {
    /// Match one of these usable TLSA records (RFC 7672 §2.2). SNI is the base domain, and no session is resumed.
    case authenticate(DANEAuthentication)
    /// Show a certificate that is verified so. SNI is the name, and no session is resumed.
    case verify(CertificateVerification)
    /// TLS is owed but nobody can say by whom: TLS 1.2 or later with sound ciphers, any certificate.
    case encrypt(serverName: DomainName?)
    /// Whatever the peer can do is better than cleartext.
    case opportunistic(serverName: DomainName?)
}

/// How a client's handshake ended. Application bytes flow only after one of the first three.
public enum TLSClientOutcome: Hashable, Sendable {
    /// The peer matched a usable TLSA record, and here is the proof.
    case verified(DANEAuthenticatedPeer, TLSConnectionInfo)
    /// The peer's certificate was verified as was asked, and here is the proof.
    case certified(CertifiedPeer, TLSConnectionInfo)
    /// The bytes are private, but nobody knows to whom they go.
    case encrypted(TLSConnectionInfo)
    /// Nothing may be sent on this connection; it is being closed. The chain is what the peer presented, if it got so far.
    case failed(TLSFailure, peerChain: [PeerCertificate])
}

/// How a server's handshake ended.
public enum TLSServerOutcome: Hashable, Sendable {
    /// The connection is private.
    case encrypted(TLSConnectionInfo)
    /// The connection is being closed.
    case failed(TLSFailure)
}

/// What `TLSHandler` tells the handlers behind it, as user inbound events.
public enum TLSEvent: Hashable, Sendable {
    /// The one outcome of a client's handshake, before any application byte.
    case clientHandshake(TLSClientOutcome)
    /// The one outcome of a server's handshake, before any application byte.
    case serverHandshake(TLSServerOutcome)
    /// The peer ended its side properly; nothing was cut off.
    case closedByPeer
    /// The connection broke, or ended without close_notify: what came last may be incomplete (RFC 8446 §6.1).
    case truncated(TLSFailure)
}

/// What the two sides agreed upon, for trace rows and header fields.
public struct TLSConnectionInfo: Hashable, Sendable {
    /// The protocol, such as `TLSv1.3`.
    public let version: String
    /// The cipher suite in OpenSSL's spelling, such as `TLS_AES_256_GCM_SHA384`.
    public let cipher: String
    /// The strength of the cipher in bits.
    public let cipherBits: Int
    /// The group of the key exchange, such as `x25519`; `nil` where there was none.
    public let keyExchangeGroup: String?
    /// The SNI name: sent by the client, or seen by the server (`nil` when absent or not a domain name).
    public let serverName: DomainName?
    /// Whether an earlier session was resumed; never under `authenticate`.
    public let resumed: Bool
    /// What the peer presented, its own certificate first. Empty for a peer without certificates.
    public let peerChain: [PeerCertificate]
    /// The client that its certificate proved, where the server recognises any.
    public let client: AuthenticatedClient?
}

/// Why a handshake or a connection failed: a reason to act upon, and a text for people.
public struct TLSFailure: Error, Hashable, Sendable {
    /// The reasons that callers tell apart.
    public enum Reason: Hashable, Sendable, CaseIterable {
        /// The chain led to a DANE-TA record or an authority, but a certificate in it has expired (rule 19: code 322).
        case certificateExpired
        /// The chain led to a DANE-TA record or an authority, but a certificate in it is not valid yet (323).
        case certificateNotYetValid
        /// The certificate names none of the reference identifiers (323).
        case nameMismatch
        /// No usable record matched what was presented (323).
        case noRecordMatched
        /// A record was near, but the chain to it does not hold: a bad signature, a CA that is none; or the chain leads to none
        /// of the authorities (323).
        case untrusted
        /// No common protocol version, cipher suite, group, signature algorithm or application protocol.
        case disagreement
        /// The peer does not know the name that we sent in SNI.
        case nameRejected
        /// The peer ended the handshake with an alert of another kind.
        case refusedByPeer
        /// The transport ended without close_notify.
        case truncated
        /// Nothing came in time.
        case timedOut
        /// What the peer sent is not TLS, or breaks its rules.
        case malformed
        /// The peer passed a limit: chain length, handshake size.
        case limitExceeded
        /// Our own fault: memory, configuration.
        case internalError
    }

    /// What went wrong.
    public let reason: Reason
    /// One line for people; safe to log.
    public let text: String
    /// What was agreed upon, where the handshake was complete before the peer was refused.
    public let connection: TLSConnectionInfo?

    /// A failure for this reason.
    public init(_ reason: Reason, _ text: String, connection: TLSConnectionInfo? = nil) {
        self.reason = reason
        self.text = text
        self.connection = connection
    }
}

extension TLSFailure: CustomStringConvertible {
    public var description: String { "\(self.reason): \(self.text)" }
}
