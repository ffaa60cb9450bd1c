import COpenSSL
import Cryptography
import MailModel
import TransportSecurity

/// Verification of a host's certificate by authorities and a name. OpenSSL does both, the chain (RFC 5280 §6) and the
/// name (RFC 9525 §6), in the handshake. This type asks it to, and reads its verdict.
enum AuthorityVerification {
    /// The most names of a certificate that a failure tells, and the most bytes of each.
    private static let toldNames = 3
    private static let toldBytes = 64

    /// Gives a connection the name, for the certificate and for SNI.
    @unsafe static func prepare(
        _ connection: OpaquePointer, _ verification: CertificateVerification
    ) throws(TLSConfigurationError) {
        OpenSSLErrors.clear()
        guard unsafe SSL_set1_host(connection, verification.name.text) == 1,
            unsafe relay_SSL_set_tlsext_host_name(connection, verification.name.text) == 1
        else {
            throw TLSConfigurationError(.refused, "name \(verification.name): \(OpenSSLErrors.drainText())")
        }
    }

    /// The verdict of a completed handshake.
    @unsafe static func verdict(
        _ connection: OpaquePointer, _ verification: CertificateVerification
    ) -> Result<CertifiedPeer, TLSFailure> {
        // Without a certificate nothing was verified, and OpenSSL finds nothing wrong.
        guard let own = unsafe SSL_get0_peer_certificate(connection) else {
            return .failure(TLSFailure(.untrusted, "no certificate was presented"))
        }
        let code = Int32(clamping: unsafe SSL_get_verify_result(connection))
        guard code == X509_V_OK else {
            return .failure(unsafe Self.failure(code, PeerCertificate(reading: own), verification))
        }
        // A resumed session has the verdict of another handshake.
        guard unsafe SSL_session_reused(connection) == 0 else {
            return .failure(TLSFailure(.untrusted, "a resumed session proves nothing"))
        }
        // OpenSSL tells which name it has found in the certificate; without one it has not looked.
        guard unsafe SSL_get0_peername(connection) != nil else {
            return .failure(TLSFailure(.nameMismatch, "no name was checked"))
        }
        return .success(CertifiedPeer(verification))
    }

    private static func failure(
        _ code: Int32, _ own: PeerCertificate, _ verification: CertificateVerification
    ) -> TLSFailure {
        let text = unsafe String(cString: X509_verify_cert_error_string(Int(code)))
        let reason = Self.reason(code)
        guard reason == .nameMismatch else { return TLSFailure(reason, text) }
        let names = own.dnsNames.isEmpty ? [own.commonName].compactMap(\.self) : own.dnsNames
        let told = names.prefix(Self.toldNames).map { String($0.prefix(Self.toldBytes)) }.joined(separator: " ")
        return TLSFailure(
            reason, "\(text): the certificate is for \(told.isEmpty ? "no name" : told), not for \(verification.name)")
    }

    private static func reason(_ code: Int32) -> TLSFault {
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED: .certificateExpired
        case X509_V_ERR_CERT_NOT_YET_VALID: .certificateNotYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH: .nameMismatch
        case X509_V_ERR_CERT_CHAIN_TOO_LONG: .chainBeyondLimit
        case X509_V_ERR_OUT_OF_MEM: .internalError
        default: .untrusted
        }
    }
}
