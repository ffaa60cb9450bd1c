import COpenSSL

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D), with a nonce of 96 bits and a tag of 128.
enum AESGCM {
    static let keyBytes = 32
    static let nonceBytes = 12
    static let tagBytes = 16
    /// OpenSSL counts in `int`.
    static let maximumBytes = 1 << 30

    /// The sealed bytes and their tag; `nil` if OpenSSL refuses.
    static func seal(_ plain: [UInt8], key: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8]? {
        guard let cipher = CipherContext(key: key, nonce: nonce, isSealing: true), cipher.authenticate(context) else {
            return nil
        }
        var isDone = false
        let sealed = unsafe [UInt8](unsafeUninitializedCapacity: plain.count + Self.tagBytes) { buffer, count in
            // The mode is a stream's: as many bytes come out as go in, and the tag has its room behind them.
            unsafe isDone = cipher.convert(plain, to: buffer.baseAddress) && cipher.readTag(to: buffer, plain.count)
            count = isDone ? plain.count + Self.tagBytes : 0
        }
        return isDone ? sealed : nil
    }

    /// The plain bytes; `nil` unless all of them, the nonce and the context are those that were sealed.
    static func open(_ sealed: [UInt8], key: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.tagBytes,
            let cipher = CipherContext(key: key, nonce: nonce, isSealing: false),
            cipher.setTag(Array(sealed.suffix(Self.tagBytes))), cipher.authenticate(context)
        else { return nil }
        let body = Array(sealed.dropLast(Self.tagBytes))
        var isDone = false
        let plain = unsafe [UInt8](unsafeUninitializedCapacity: max(1, body.count)) { buffer, count in
            // As above. Bytes whose tag is wrong are dropped here.
            unsafe isDone = cipher.convert(body, to: buffer.baseAddress)
            count = isDone ? body.count : 0
        }
        return isDone ? plain : nil
    }
}

/// The owner of OpenSSL's state of one operation.
@safe private final class CipherContext {
    private let context: OpaquePointer

    init?(key: [UInt8], nonce: [UInt8], isSealing: Bool) {
        precondition(key.count == AESGCM.keyBytes && nonce.count == AESGCM.nonceBytes, "sizes of AES-256-GCM")
        OpenSSLErrors.clear()
        guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        unsafe self.context = context
        // OpenSSL copies key and nonce, whose sizes are those of the cipher.
        let isReady = unsafe EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, isSealing ? 1 : 0) == 1
        guard isReady else { return nil }
    }

    deinit { unsafe EVP_CIPHER_CTX_free(self.context) }

    /// Puts bytes under the tag that are not sealed.
    func authenticate(_ bytes: [UInt8]) -> Bool {
        var count: Int32 = 0
        return unsafe bytes.isEmpty
            || EVP_CipherUpdate(self.context, nil, &count, bytes, Int32(clamping: bytes.count)) == 1
    }

    /// Seals or opens all bytes, to as much room.
    @unsafe func convert(_ bytes: [UInt8], to output: UnsafeMutablePointer<UInt8>?) -> Bool {
        var (count, rest): (Int32, Int32) = (0, 0)
        let isConverted =
            unsafe bytes.isEmpty
            || EVP_CipherUpdate(self.context, output, &count, bytes, Int32(clamping: bytes.count)) == 1
        // The mode leaves nothing for the end to write; the end checks the tag, or makes it.
        guard isConverted, Int(count) == bytes.count else { return false }
        return unsafe EVP_CipherFinal_ex(self.context, output, &rest) == 1
    }

    @unsafe func readTag(to buffer: UnsafeMutableBufferPointer<UInt8>, _ offset: Int) -> Bool {
        let place = unsafe buffer.baseAddress.map { unsafe $0 + offset }
        return unsafe relay_EVP_CIPHER_CTX_get_tag(self.context, Int32(AESGCM.tagBytes), place) == 1
    }

    func setTag(_ tag: [UInt8]) -> Bool {
        unsafe relay_EVP_CIPHER_CTX_set_tag(self.context, Int32(tag.count), tag) == 1
    }
}
