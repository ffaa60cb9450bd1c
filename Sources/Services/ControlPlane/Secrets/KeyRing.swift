package import Cryptography

/// The key-encryption keys of the controller: the current one seals, the previous ones still open (control 17).
package struct KeyRing: Sendable {
    private let current: SealingKey
    /// All keys by their names.
    private let keys: [String: SealingKey]
    /// Names the current key.
    package let identifier: String

    package init(current: SealingKey, previous: [SealingKey] = []) {
        self.current = current
        self.identifier = current.identifier
        self.keys = Dictionary(([current] + previous).map { ($0.identifier, $0) }) { first, _ in first }
    }

    /// A secret that opens only for the same context, such as `certificate/mx`.
    package func seal(_ plain: [UInt8], for context: String) throws(CryptographyError) -> [UInt8] {
        try SealedSecret(sealing: plain, for: Array(context.utf8), under: self.current).encoded
    }

    package func open(_ encoded: [UInt8], for context: String) throws(CryptographyError) -> [UInt8] {
        let secret = try Self.decode(encoded)
        return try secret.open(for: Array(context.utf8), under: self.key(of: secret))
    }

    /// The same secret under the current key; `nil` if that seals it already.
    package func rewrapped(_ encoded: [UInt8]) throws(CryptographyError) -> [UInt8]? {
        let secret = try Self.decode(encoded)
        guard secret.keyIdentifier != self.identifier else { return nil }
        return try secret.rewrapped(from: self.key(of: secret), to: self.current).encoded
    }

    private static func decode(_ encoded: [UInt8]) throws(CryptographyError) -> SealedSecret {
        guard let secret = SealedSecret(encoded: encoded) else {
            throw CryptographyError(.unparsable, "not a sealed secret")
        }
        return secret
    }

    private func key(of secret: SealedSecret) throws(CryptographyError) -> SealingKey {
        guard let key = self.keys[secret.keyIdentifier] else {
            throw CryptographyError(
                .otherKey,
                "a secret is sealed under key \(secret.keyIdentifier), which is neither the current nor a previous key")
        }
        return key
    }
}
