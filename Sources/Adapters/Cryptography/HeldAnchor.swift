import COpenSSL
public import DNSModel

/// The certificate or key that a `2 0 0` or `2 1 0` record holds in full, parsed once for any number of questions.
@safe public final class HeldAnchor {
    @safe private enum Content {
        case certificate(Certificate)
        /// Ours, and freed in `deinit`.
        case key(OpaquePointer)
    }

    private let content: Content

    /// `nil` where the record holds nothing in full, or what it holds cannot be read.
    public init?(_ record: TLSARecord) {
        guard record.matchingType == .full else { return nil }
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        if record.selector == .cert {
            guard let certificate = try? Certificate(der: record.associationData) else { return nil }
            self.content = .certificate(certificate)
            return
        }
        let key = unsafe record.associationData.withUnsafeBufferPointer { buffer in
            // The parser never reads past the length given.
            var cursor = buffer.baseAddress
            return unsafe d2i_PUBKEY(nil, &cursor, buffer.count)
        }
        guard let key = unsafe key else { return nil }
        unsafe self.content = .key(key)
    }

    deinit {
        if case .key(let key) = self.content { unsafe EVP_PKEY_free(key) }
    }

    /// Whether it signed this certificate, by one check of a signature.
    public func issued(_ certificate: Certificate) -> Bool {
        switch self.content {
        case .certificate(let issuer): return certificate.isIssued(by: issuer)
        case .key(let key):
            OpenSSLErrors.clear()
            defer { OpenSSLErrors.clear() }
            // The key lives as long as this object.
            return certificate.with { unsafe X509_verify($0, key) == 1 }
        }
    }
}
