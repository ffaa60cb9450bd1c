/// A secret sealed under a key of its own, which is sealed under a key-encryption key. To rotate that one, only the secret's
/// key is sealed anew; the secret stays as it is.
public struct SealedSecret: Hashable, Sendable {
    /// The name of the key-encryption key (`SealingKey.identifier`).
    public let keyIdentifier: String
    /// The secret's key, sealed under the key-encryption key.
    public let wrappedKey: [UInt8]
    /// The secret, sealed under its key for its context.
    public let sealed: [UInt8]

    /// A wrapped key is sealed for this, and so is nothing else.
    private static let keyContext = Array("relay wrapped key".utf8)

    /// Seals a secret for a context, such as the name of what it belongs to.
    public init(
        sealing plain: [UInt8], for context: [UInt8], under key: SealingKey
    ) throws(CryptographyError) {
        let own = SealingKey.random()
        self.init(
            keyIdentifier: key.identifier, wrappedKey: try key.seal(own.bytes, for: Self.keyContext),
            sealed: try own.seal(plain, for: context))
    }

    private init(keyIdentifier: String, wrappedKey: [UInt8], sealed: [UInt8]) {
        self.keyIdentifier = keyIdentifier
        self.wrappedKey = wrappedKey
        self.sealed = sealed
    }

    /// The secret; `.otherKey` if another key-encryption key is needed, `.sealBroken` if a byte or the context is another.
    public func open(for context: [UInt8], under key: SealingKey) throws(CryptographyError) -> [UInt8] {
        try self.unwrapped(key).open(self.sealed, for: context)
    }

    /// The same secret under another key-encryption key.
    public func rewrapped(from old: SealingKey, to new: SealingKey) throws(CryptographyError) -> SealedSecret {
        SealedSecret(
            keyIdentifier: new.identifier,
            wrappedKey: try new.seal(self.unwrapped(old).bytes, for: Self.keyContext), sealed: self.sealed)
    }

    private func unwrapped(_ key: SealingKey) throws(CryptographyError) -> SealingKey {
        guard key.identifier == self.keyIdentifier else {
            throw CryptographyError(.otherKey, "sealed under key \(self.keyIdentifier), not \(key.identifier)")
        }
        guard let own = SealingKey(try key.open(self.wrappedKey, for: Self.keyContext)) else {
            throw CryptographyError(.sealBroken, "what was sealed as a key is none")
        }
        return own
    }
}

extension SealedSecret {
    private static let version: UInt8 = 1
    private static let identifierBytes = 16
    private static let wrappedBytes = AESGCM.nonceBytes + AESGCM.keyBytes + AESGCM.tagBytes

    /// One byte of version, 16 of the identifier's text, 60 of the wrapped key, and the sealed secret.
    public var encoded: [UInt8] { [Self.version] + Array(self.keyIdentifier.utf8) + self.wrappedKey + self.sealed }

    /// Reads `encoded`; `nil` for what cannot be that.
    public init?(encoded: [UInt8]) {
        let identifier = encoded.dropFirst().prefix(Self.identifierBytes)
        let rest = encoded.dropFirst(1 + Self.identifierBytes)
        guard encoded.first == Self.version, identifier.allSatisfy({ (0x30...0x39) ~= $0 || (0x61...0x66) ~= $0 }),
            rest.count >= Self.wrappedBytes + AESGCM.nonceBytes + AESGCM.tagBytes
        else { return nil }
        self.init(
            keyIdentifier: String(decoding: identifier, as: UTF8.self),
            wrappedKey: Array(rest.prefix(Self.wrappedBytes)), sealed: Array(rest.dropFirst(Self.wrappedBytes)))
    }
}
