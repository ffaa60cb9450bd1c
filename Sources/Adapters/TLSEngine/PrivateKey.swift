/// A private key. Its bytes show up in `pem` only.
public final class PrivateKey: Sendable {
    /// The kinds that can be made.
    public enum Algorithm: Hashable, Sendable {
        /// ECDSA on the NIST curve P-256.
        case p256
        /// RSA with a modulus of so many bits, 1,024 to 8,192.
        case rsa(bits: Int)
    }

    /// PKCS #8, unencrypted.
    public var pem: String { fatalError() }
    /// The public half, in DER.
    public var subjectPublicKeyInfo: [UInt8] { fatalError() }
    /// Makes a new key.
    public init(_ algorithm: Algorithm) throws(TLSConfigurationError) { fatalError() }
    /// Reads an unencrypted key from PEM.
    public init(pem: [UInt8]) throws(TLSConfigurationError) { fatalError() }
}
