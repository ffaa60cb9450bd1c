import COpenSSL
import Cryptography
import TransportSecurity

extension TLSFailure {
    /// Makes a reason of OpenSSL's errors; the oldest is the cause.
    init(_ entries: [OpenSSLErrors.Entry], transportEnded: Bool) {
        guard let cause = entries.first else {
            self = transportEnded ? .peerWentAway : TLSFailure(.internalError, "OpenSSL gives no reason")
            return
        }
        self.init(Self.reason(cause), cause.text)
    }

    /// The end of the transport where TLS had not ended.
    static let peerWentAway = TLSFailure(.truncated, "the peer closed the connection without close_notify")

    private static func reason(_ cause: OpenSSLErrors.Entry) -> TLSFault {
        guard cause.library == ERR_LIB_SSL else {
            return cause.reason == ERR_R_MALLOC_FAILURE ? .internalError : .malformed
        }
        switch cause.reason {
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: return .truncated
        case SSL_R_EXCESSIVE_MESSAGE_SIZE: return .limitExceeded
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_SHARED_CIPHER, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_VERSION_TOO_LOW,
            SSL_R_VERSION_TOO_HIGH, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_GROUPS,
            SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_APPLICATION_PROTOCOL, SSL_R_DH_KEY_TOO_SMALL, SSL_R_EE_KEY_TOO_SMALL,
            SSL_R_WRONG_CIPHER_RETURNED, SSL_R_WRONG_SIGNATURE_TYPE, SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
            SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
            SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, Self.alertNoApplicationProtocol:
            return .disagreement
        case SSL_R_TLSV1_UNRECOGNIZED_NAME: return .nameRejected
        // OpenSSL numbers the alerts that it receives from 1000.
        case 1000...1255: return .refusedByPeer
        default: return .malformed
        }
    }

    /// Alert 120 (RFC 7301 §3.2), for which OpenSSL 3.0 has no name.
    private static let alertNoApplicationProtocol: Int32 = 1120
}
