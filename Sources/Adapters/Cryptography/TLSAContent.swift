import COpenSSL
public import DNSModel

/// Judges record contents that only a certificate parser can judge.
public enum TLSAContent {
    /// Whether the association data of a record with matching type 0 is one whole certificate or public key (rule 13).
    ///
    /// Any data is harmless, of any length. For other matching types, and for unknown selectors, the answer is `false`:
    /// ask only about matching type 0.
    public static func parses(_ record: TLSARecord) -> Bool {
        guard record.matchingType == .full, !record.associationData.isEmpty else { return false }
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        switch record.selector {
        case .cert: return Self.isCertificate(record.associationData)
        case .spki: return Self.isPublicKey(record.associationData)
        default: return false
        }
    }

    private static func isCertificate(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            // The parser moves the cursor and never past the length given; the object is freed here.
            var cursor = buffer.baseAddress
            guard let certificate = unsafe d2i_X509(nil, &cursor, buffer.count) else { return false }
            defer { unsafe X509_free(certificate) }
            return unsafe cursor == buffer.baseAddress.map { unsafe $0 + buffer.count }
                && X509_get0_pubkey(certificate) != nil
        }
    }

    private static func isPublicKey(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            // As above.
            var cursor = buffer.baseAddress
            guard let key = unsafe d2i_PUBKEY(nil, &cursor, buffer.count) else { return false }
            defer { unsafe EVP_PKEY_free(key) }
            return unsafe cursor == buffer.baseAddress.map { unsafe $0 + buffer.count }
        }
    }
}
