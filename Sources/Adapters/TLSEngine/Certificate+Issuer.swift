import COpenSSL
public import DANE

extension Certificate {
    /// Whether `issuer` may sign certificates, is named as this one's issuer, and signed it.
    public func isIssued(by issuer: Certificate) -> Bool {
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        return self.with { lower in
            issuer.with { upper in
                // Both are kept alive by their owners for the whole call; the key belongs to `upper`.
                unsafe X509_check_issued(upper, lower) == X509_V_OK
                    && X509_verify(lower, X509_get0_pubkey(upper)) == 1
            }
        }
    }

    /// Whether the certificate or key that `record` holds in full signed this certificate (`2 0 0`, `2 1 0`).
    public func isIssued(by record: TLSARecord) -> Bool {
        guard record.matchingType == .full else { return false }
        if record.selector == .cert {
            return (try? Certificate(der: record.associationData)).map { self.isIssued(by: $0) } ?? false
        }
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        return unsafe record.associationData.withUnsafeBufferPointer { buffer in
            // The parser never reads past the length given; the key is freed here.
            var cursor = buffer.baseAddress
            guard let key = unsafe d2i_PUBKEY(nil, &cursor, buffer.count) else { return false }
            defer { unsafe EVP_PKEY_free(key) }
            return self.with { unsafe X509_verify($0, key) == 1 }
        }
    }
}
