import COpenSSL

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
}
