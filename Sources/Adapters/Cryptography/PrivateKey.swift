import COpenSSL

/// A private key. Its bytes show up in `pem` and `der` only.
@safe public final class PrivateKey: @unchecked Sendable {
    /// The kinds that can be made.
    public enum Algorithm: Hashable, Sendable {
        /// ECDSA on the NIST curve P-256.
        case p256
        /// ECDSA on the NIST curve P-521, whose signatures cost seven times as much to check.
        case p521
        /// RSA with a modulus of so many bits, 1,024 to 8,192.
        case rsa(bits: Int)
    }

    // An EVP_PKEY is immutable here and its reference count atomic, hence `@unchecked Sendable`.
    private let key: OpaquePointer

    /// The public half, in DER.
    public let subjectPublicKeyInfo: [UInt8]

    /// Makes a new key.
    public convenience init(_ algorithm: Algorithm) throws(CryptographyError) {
        OpenSSLErrors.clear()
        let key: OpaquePointer?
        switch algorithm {
        case .p256: unsafe key = relay_EVP_EC_gen("P-256")
        case .p521: unsafe key = relay_EVP_EC_gen("P-521")
        case .rsa(let bits):
            guard (1024...8192).contains(bits) else {
                throw CryptographyError(.refused, "an RSA key of \(bits) bits cannot be made")
            }
            unsafe key = relay_EVP_RSA_gen(UInt32(bits))
        }
        guard let key = unsafe key else {
            throw CryptographyError(.refused, "cannot make a key: \(OpenSSLErrors.drainText())")
        }
        unsafe self.init(owning: key)
    }

    /// Reads an unencrypted key from PEM.
    public convenience init(pem: [UInt8]) throws(CryptographyError) {
        OpenSSLErrors.clear()
        let key = MemoryBIO(pem).with { bio in
            // Without a callback of ours OpenSSL would ask for the pass phrase of an encrypted key on the terminal.
            unsafe PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
        }
        guard let key = unsafe key else {
            throw CryptographyError(.unparsable, "no unencrypted private key in PEM: \(OpenSSLErrors.drainText())")
        }
        unsafe self.init(owning: key)
    }

    /// Reads an unencrypted key from PKCS #8 in DER, and nothing behind it.
    public convenience init(der: [UInt8]) throws(CryptographyError) {
        OpenSSLErrors.clear()
        let key: OpaquePointer? = unsafe der.withUnsafeBufferPointer { buffer in
            // The parser never reads past the length given; what it makes is freed here.
            var cursor = buffer.baseAddress
            guard let content = unsafe d2i_PKCS8_PRIV_KEY_INFO(nil, &cursor, buffer.count) else { return nil }
            defer { unsafe PKCS8_PRIV_KEY_INFO_free(content) }
            guard unsafe cursor == buffer.baseAddress.map({ unsafe $0 + buffer.count }) else { return nil }
            return unsafe EVP_PKCS82PKEY(content)
        }
        guard let key = unsafe key else {
            throw CryptographyError(.unparsable, "no private key in DER: \(OpenSSLErrors.drainText())")
        }
        unsafe self.init(owning: key)
    }

    private init(owning key: OpaquePointer) {
        unsafe self.key = key
        self.subjectPublicKeyInfo = encoded { unsafe i2d_PUBKEY(key, $0) }
    }

    deinit { unsafe EVP_PKEY_free(self.key) }

    /// PKCS #8, unencrypted.
    public var pem: String {
        let output = MemoryBIO()
        _ = output.with { unsafe PEM_write_bio_PKCS8PrivateKey($0, self.key, nil, nil, 0, nil, nil) }
        return output.text
    }

    /// PKCS #8 in DER, unencrypted.
    public var der: [UInt8] {
        // The copy for the encoder is ours, and freed here.
        guard let content = unsafe EVP_PKEY2PKCS8(self.key) else { return [] }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(content) }
        return encoded { unsafe i2d_PKCS8_PRIV_KEY_INFO(content, $0) }
    }

    /// A number that two keys share when a server can present only one of them: RSA, EC.
    package var kind: Int32 { unsafe EVP_PKEY_get_base_id(self.key) }

    /// Lends the pointer for one call.
    @safe package func with<Result>(_ body: (OpaquePointer) -> Result) -> Result { unsafe body(self.key) }
}
