import COpenSSL
import Cryptography
import DANE
import DNSModel
import MailModel
import TransportSecurity

/// The calls of OpenSSL's DANE, in which every trap of dane-rules.md is kept.
enum DANEVerification {
    /// Gives a connection its records, names and SNI.
    @unsafe static func prepare(
        _ connection: OpaquePointer, _ authentication: DANEAuthentication
    )
        throws(TLSConfigurationError)
    {
        OpenSSLErrors.clear()
        // This sets SNI (rule 20) and the first reference identifier too.
        guard unsafe SSL_dane_enable(connection, authentication.baseDomain.name.text) > 0 else {
            throw TLSConfigurationError(.refused, "DANE: \(OpenSSLErrors.drainText())")
        }
        for name in authentication.referenceIdentifiers where name != authentication.baseDomain.name {
            guard unsafe SSL_add1_host(connection, name.text) == 1 else {
                throw TLSConfigurationError(.refused, "reference identifier \(name): \(OpenSSLErrors.drainText())")
            }
        }
        let counted = authentication.countedRecords
        var usable = 0
        for record in counted where isForSMTP(record) {
            let added = unsafe SSL_dane_tlsa_add(
                connection, record.usage.rawValue, record.selector.rawValue, record.matchingType.rawValue,
                record.associationData, record.associationData.count)
            // A fault of ours says nothing about the record, so it must not make it count as unusable.
            guard added >= 0 else { throw TLSConfigurationError(.refused, "TLSA: \(OpenSSLErrors.drainText())") }
            // 0 means that OpenSSL finds the record unusable; the others still count (rule 14).
            usable += added > 0 ? 1 : 0
        }
        OpenSSLErrors.clear()
        // Without any record OpenSSL would fall back to public CAs, so this is an error and never a weaker check.
        guard usable > 0 else {
            // Where records were left out, nobody knows whether all are unusable.
            let isEachUnusable = counted.count == authentication.records.count
            throw TLSConfigurationError(
                isEachUnusable ? .noUsableRecord : .refused, "none of the TLSA records is usable")
        }
    }

    /// Rule 13: OpenSSL would take PKIX-TA and PKIX-EE too.
    private static func isForSMTP(_ record: TLSARecord) -> Bool {
        record.usage == .daneTA || record.usage == .daneEE
    }

    /// The verdict of a completed handshake. Without a matched record there is no proof, whatever else OpenSSL says.
    @unsafe static func verdict(
        _ connection: OpaquePointer, _ authentication: DANEAuthentication
    )
        -> Result<DANEAuthenticatedPeer, TLSFailure>
    {
        let code = Int32(clamping: unsafe SSL_get_verify_result(connection))
        guard code == X509_V_OK else { return .failure(unsafe failure(code)) }
        // Rule 26: OpenSSL calls a resumed session verified without looking at any record.
        guard unsafe SSL_session_reused(connection) == 0 else {
            return .failure(TLSFailure(.noRecordMatched, "a resumed session proves nothing"))
        }
        guard let matched = unsafe matchedRecord(connection), authentication.records.contains(matched) else {
            return .failure(TLSFailure(.noRecordMatched, "no TLSA record matched the peer's certificates"))
        }
        let carried = unsafe SSL_get0_peername(connection).map { unsafe String(cString: $0) }
        let name = carried.flatMap { Self.referenceIdentifier(for: $0, authentication) }
        return .success(
            DANEAuthenticatedPeer(
                matched: matched, baseDomain: authentication.baseDomain,
                matchedName: matched.usage == .daneTA ? name : nil))
    }

    /// Which of our names OpenSSL matched; it tells the certificate's, which may be a wildcard.
    private static func referenceIdentifier(for carried: String, _ authentication: DANEAuthentication) -> DomainName? {
        ([authentication.baseDomain.name] + authentication.referenceIdentifiers).first { name in
            name == DomainName(carried) || "*." + name.labels.dropFirst().joined(separator: ".") == carried.lowercased()
        }
    }

    @unsafe private static func matchedRecord(_ connection: OpaquePointer) -> TLSARecord? {
        var (usage, selector, matchingType): (UInt8, UInt8, UInt8) = (0, 0, 0)
        var data: UnsafePointer<UInt8>?
        var length = 0
        guard unsafe SSL_get0_dane_tlsa(connection, &usage, &selector, &matchingType, &data, &length) >= 0 else {
            return nil
        }
        // The data belongs to the connection and is copied here.
        return TLSARecord(
            usage: .init(rawValue: usage), selector: .init(rawValue: selector),
            matchingType: .init(rawValue: matchingType),
            associationData: unsafe Array(UnsafeBufferPointer(start: data, count: length)))
    }

    @unsafe private static func failure(_ code: Int32) -> TLSFailure {
        let text = unsafe String(cString: X509_verify_cert_error_string(Int(code)))
        return TLSFailure(Self.reason(code), text)
    }

    static func reason(_ code: Int32) -> TLSFault {
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED: .certificateExpired
        case X509_V_ERR_CERT_NOT_YET_VALID: .certificateNotYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH: .nameMismatch
        case X509_V_ERR_CERT_CHAIN_TOO_LONG: .chainBeyondLimit
        case X509_V_ERR_OUT_OF_MEM: .internalError
        // Nothing but a TLSA record is a trust anchor here, so an anchor not found is a record not matched.
        case X509_V_ERR_DANE_NO_MATCH, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_CERT_UNTRUSTED:
            .noRecordMatched
        default: .untrusted
        }
    }
}
