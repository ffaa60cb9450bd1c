import COpenSSL
import MailModel

/// Builds and signs certificates.
enum CertificateIssuing {
    /// Who signs: a CA, or the certificate itself.
    enum Issuer {
        case authority(CertificateAuthority)
        case itself(PrivateKey)
    }

    static func make(
        _ request: CertificateRequest, subjectPublicKeyInfo: [UInt8], issuer: Issuer
    )
        throws(CryptographyError) -> Certificate
    {
        OpenSSLErrors.clear()
        guard let pointer = unsafe X509_new() else { throw Self.failure("memory") }
        let done = unsafe Self.fill(pointer, request, subjectPublicKeyInfo, issuer)
        guard done else {
            unsafe X509_free(pointer)
            throw Self.failure(request.commonName)
        }
        // The new certificate is ours, and the owner takes it over.
        return unsafe Certificate(owning: pointer)
    }

    private static func failure(_ what: String) -> CryptographyError {
        CryptographyError(.refused, "cannot issue a certificate for \(what): \(OpenSSLErrors.drainText())")
    }

    @unsafe private static func fill(
        _ new: OpaquePointer, _ request: CertificateRequest, _ publicKey: [UInt8], _ issuer: Issuer
    ) -> Bool {
        guard unsafe X509_set_version(new, 2) == 1, unsafe Self.setSerial(new),
            unsafe Self.setName(new, request.commonName), unsafe Self.setValidity(new, request),
            unsafe Self.setPublicKey(new, publicKey)
        else { return false }
        switch issuer {
        case .itself(let key):
            return unsafe X509_set_issuer_name(new, X509_get_subject_name(new)) == 1
                && Self.addExtensions(new, request, signer: new) && Self.sign(new, key)
        case .authority(let authority):
            return authority.certificate.with { signer in
                unsafe X509_set_issuer_name(new, X509_get_subject_name(signer)) == 1
                    && Self.addExtensions(new, request, signer: signer) && Self.sign(new, authority.key)
            }
        }
    }

    @unsafe private static func setSerial(_ new: OpaquePointer) -> Bool {
        // 127 random bits, as RFC 5280 §4.1.2.2 wants: unique, positive, at most 20 bytes.
        guard let number = unsafe BN_new() else { return false }
        defer { unsafe BN_free(number) }
        return unsafe BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1
            && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(new)) != nil
    }

    @unsafe private static func setName(_ new: OpaquePointer, _ commonName: String) -> Bool {
        if commonName.isEmpty { return true }
        return unsafe X509_NAME_add_entry_by_NID(
            X509_get_subject_name(new), NID_commonName, MBSTRING_FLAG, Array(commonName.utf8),
            Int32(clamping: commonName.utf8.count), -1, 0) == 1
    }

    @unsafe private static func setValidity(_ new: OpaquePointer, _ request: CertificateRequest) -> Bool {
        unsafe ASN1_TIME_set(X509_getm_notBefore(new), Int(request.notBefore.microseconds / 1_000_000)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(new), Int(request.notAfter.microseconds / 1_000_000)) != nil
    }

    @unsafe private static func setPublicKey(_ new: OpaquePointer, _ subjectPublicKeyInfo: [UInt8]) -> Bool {
        let key = unsafe subjectPublicKeyInfo.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_PUBKEY(nil, &cursor, buffer.count)
        }
        guard let key = unsafe key else { return false }
        defer { unsafe EVP_PKEY_free(key) }
        return unsafe X509_set_pubkey(new, key) == 1
    }

    @unsafe private static func addExtensions(
        _ new: OpaquePointer, _ request: CertificateRequest, signer: OpaquePointer
    ) -> Bool {
        var extensions = [(NID_subject_key_identifier, "hash"), (NID_authority_key_identifier, "keyid")]
        if request.isAuthority {
            extensions += [
                (NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
            ]
        } else {
            extensions += [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth,clientAuth"),
            ]
        }
        for (identifier, value) in extensions {
            guard unsafe relay_X509_add_extension(signer, new, identifier, value) == 1 else { return false }
        }
        return unsafe Self.addAlternativeNames(new, request)
    }

    @unsafe private static func addAlternativeNames(_ new: OpaquePointer, _ request: CertificateRequest) -> Bool {
        if request.dnsNames.isEmpty && request.uris.isEmpty { return true }
        guard let names = unsafe relay_GENERAL_NAMES_new() else { return false }
        defer { unsafe relay_GENERAL_NAMES_free(names) }
        for (type, texts) in [(GEN_DNS, request.dnsNames), (GEN_URI, request.uris)] {
            for text in texts {
                guard unsafe relay_GENERAL_NAMES_append(names, type, text) == 1 else { return false }
            }
        }
        return unsafe X509_add1_ext_i2d(new, NID_subject_alt_name, UnsafeMutableRawPointer(names), 0, 0) == 1
    }

    @unsafe private static func sign(_ new: OpaquePointer, _ key: PrivateKey) -> Bool {
        key.with { unsafe X509_sign(new, $0, EVP_sha256()) > 0 }
    }
}
