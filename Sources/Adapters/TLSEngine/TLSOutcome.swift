public import Cryptography
public import MailModel
public import TransportSecurity

/// How a client's handshake ended.
public enum TLSClientOutcome: Hashable, Sendable {
    /// Application bytes may flow. Under `mustAuthenticate` and `mustVerify` the proof is what was asked for.
    case established(PeerProof, TLSConnectionInfo)
    /// Nothing may be sent on this connection; it is being closed. Where no TLSA record matched the chain, it is here to be
    /// explained; else it is empty.
    case failed(TLSFailure, refusedChain: [PeerCertificate])
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
    /// Whether an earlier session was resumed; never under `mustAuthenticate` and `mustVerify`.
    public let resumed: Bool
    /// The protocol that ALPN chose (RFC 7301); `nil` where there is none.
    public let applicationProtocol: String?
    /// The client that its certificate proved, where the server recognises any.
    public let client: AuthenticatedClient?
}

/// Why a handshake or a connection failed: a reason to act upon, and a text for people.
public struct TLSFailure: Error, Hashable, Sendable {
    /// What went wrong.
    public let reason: TLSFault
    /// One line for people; safe to log.
    public let text: String
    /// What was agreed upon, where the handshake was complete before the peer was refused.
    public let connection: TLSConnectionInfo?

    /// A failure for this reason.
    public init(_ reason: TLSFault, _ text: String, connection: TLSConnectionInfo? = nil) {
        self.reason = reason
        self.text = text
        self.connection = connection
    }
}

extension TLSFailure: CustomStringConvertible {
    public var description: String { "\(self.reason): \(self.text)" }
}
