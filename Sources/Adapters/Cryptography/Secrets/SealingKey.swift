/// A key of 32 bytes that seals others: what it sealed can be neither read nor changed without it, nor taken for something else.
///
/// Nonces are random, so one key seals at most 2³² values (NIST SP 800-38D §8.3). It never shows its bytes in a log.
public struct SealingKey: Hashable, Sendable {
    /// The bytes of a key.
    public static let byteCount = AESGCM.keyBytes

    /// The key itself.
    public let bytes: [UInt8]

    /// A key of 32 bytes; `nil` for any other number.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// A new key.
    public static func random() -> SealingKey { SealingKey(checked: RandomBytes.make(Self.byteCount)) }

    init(checked bytes: [UInt8]) { self.bytes = bytes }

    /// 16 hexadecimal digits that name the key and tell nothing of it: SHA-256 of what is derived of it.
    public var identifier: String {
        guard let derived = try? HKDF.sha256(self.bytes, info: Array("relay key identifier".utf8), count: 32) else {
            preconditionFailure("OpenSSL derives no key")
        }
        return Digests.sha256(derived).prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Seals bytes for a context, which has to be told again to open them: 12 bytes of nonce, the sealed bytes, 16 of tag.
    public func seal(_ plain: [UInt8], for context: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard plain.count <= AESGCM.maximumBytes, context.count <= AESGCM.maximumBytes else {
            throw CryptographyError(.refused, "\(plain.count) bytes are too many to seal at once")
        }
        let nonce = RandomBytes.make(AESGCM.nonceBytes)
        guard let sealed = AESGCM.seal(plain, key: self.bytes, nonce: nonce, context: context) else {
            throw CryptographyError(.refused, "cannot seal: \(OpenSSLErrors.drainText())")
        }
        return nonce + sealed
    }

    /// Opens what `seal` made; `.sealBroken` for anything else, whichever byte of it, of the context or of the key is another.
    public func open(_ sealed: [UInt8], for context: [UInt8]) throws(CryptographyError) -> [UInt8] {
        let nonce = Array(sealed.prefix(AESGCM.nonceBytes))
        guard sealed.count >= AESGCM.nonceBytes + AESGCM.tagBytes,
            sealed.count <= AESGCM.maximumBytes + AESGCM.nonceBytes + AESGCM.tagBytes,
            context.count <= AESGCM.maximumBytes,
            let plain = AESGCM.open(
                Array(sealed.dropFirst(AESGCM.nonceBytes)), key: self.bytes, nonce: nonce, context: context)
        else {
            throw CryptographyError(.sealBroken, "sealed under another key or for something else, or changed since")
        }
        return plain
    }
}

extension SealingKey: CustomStringConvertible, CustomReflectable {
    public var description: String { "key \(self.identifier)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
