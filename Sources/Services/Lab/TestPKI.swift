public import DANE
public import MailModel
public import TLSEngine

/// A private PKI for tests and the demo: a root, an intermediate, and leaves under it that can be wrong in chosen ways.
public struct TestPKI: Sendable {
    /// Signs the intermediate.
    public let root: CertificateAuthority
    /// Signs the leaves.
    public let intermediate: CertificateAuthority

    /// When a leaf is valid, relative to the moment given.
    public enum Validity: Hashable, Sendable { case current, expired, notYetValid }

    /// A server certificate with its key and the chain to the root.
    public struct Leaf: Sendable {
        /// The leaf certificate.
        public let certificate: Certificate
        /// Its key.
        public let key: PrivateKey
        /// Leaf, intermediate and root in PEM.
        public let chainPEM: String
        /// The leaf's TLSA record.
        public func tlsaRecord(
            _ usage: TLSARecord.CertificateUsage, _ selector: TLSARecord.Selector, _ type: TLSARecord.MatchingType
        ) -> TLSARecord {
            self.certificate.tlsaRecord(usage: usage, selector: selector, matchingType: type)
        }
    }

    /// A new PKI, valid around `now`.
    public init(now: Timestamp) throws(TLSConfigurationError) { fatalError() }

    /// A new leaf for these names.
    public func leaf(
        _ names: String..., validity: Validity = .current, algorithm: PrivateKey.Algorithm = .p256
    )
        throws(TLSConfigurationError) -> Leaf
    { fatalError() }
}
