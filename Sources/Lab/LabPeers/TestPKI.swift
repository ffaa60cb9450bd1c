public import Cryptography
public import DNSModel
public import MailModel
public import OperatingSystem

/// A private PKI for tests and the demo: a root, an intermediate, and leaves under it that can be wrong in chosen ways.
public struct TestPKI: Sendable {
    /// Signs the intermediate.
    public let root: CertificateAuthority
    /// Signs the leaves.
    public let intermediate: CertificateAuthority
    private let now: Timestamp

    /// When a leaf is valid, seen from the moment at which the PKI was made.
    public enum Validity: Hashable, Sendable {
        /// From an hour ago, for thirty days.
        case current
        /// Until yesterday.
        case expired
        /// From tomorrow.
        case notYetValid
    }

    /// A server certificate with its key and the chain to the root.
    public struct Leaf: Sendable {
        /// The leaf certificate.
        public let certificate: Certificate
        /// Its key.
        public let key: PrivateKey
        /// Leaf, intermediate and root in PEM, as a server presents them.
        public let chainPEM: String

        /// A leaf that presents whatever chain the test wants.
        public init(certificate: Certificate, key: PrivateKey, chainPEM: String) {
            self.certificate = certificate
            self.key = key
            self.chainPEM = chainPEM
        }

        /// The leaf's TLSA record.
        public func tlsaRecord(
            _ usage: TLSARecord.CertificateUsage, _ selector: TLSARecord.Selector, _ type: TLSARecord.MatchingType
        ) -> TLSARecord {
            self.certificate.tlsaRecord(usage: usage, selector: selector, matchingType: type)
        }

        /// For a server's store.
        public func serverCertificate(names: [DomainName]? = nil) throws(CryptographyError) -> ServerCertificate {
            try ServerCertificate(
                chainPEM: Array(self.chainPEM.utf8), keyPEM: Array(self.key.pem.utf8), names: names)
        }
    }

    /// A new PKI around `now`. Root and intermediate are valid for ten years.
    public init(now: Timestamp = .systemNow) throws(CryptographyError) {
        self.now = now
        self.root = try .selfSigned(Self.authority("Lab root", now), key: PrivateKey(.p256))
        let key = try PrivateKey(.p256)
        let certificate = try self.root.issue(Self.authority("Lab intermediate", now), key: key)
        self.intermediate = CertificateAuthority(certificate: certificate, key: key)
    }

    private static func authority(_ name: String, _ now: Timestamp) -> CertificateRequest {
        CertificateRequest(
            commonName: name, notBefore: now + .days(-365), notAfter: now + .days(3650), isAuthority: true)
    }

    /// A new leaf for these DNS names.
    public func leaf(
        _ names: String..., validity: Validity = .current, algorithm: PrivateKey.Algorithm = .p256
    )
        throws(CryptographyError) -> Leaf
    {
        try self.leaf(commonName: names.first ?? "nameless", names, validity: validity, algorithm: algorithm)
    }

    /// A new leaf with a common name of its own, and perhaps no DNS names at all.
    public func leaf(
        commonName: String, _ names: [String] = [], validity: Validity = .current,
        algorithm: PrivateKey.Algorithm = .p256
    ) throws(CryptographyError) -> Leaf {
        let (from, until): (Duration, Duration) =
            switch validity {
            case .current: (.seconds(-3600), .days(30))
            case .expired: (.days(-30), .days(-1))
            case .notYetValid: (.days(1), .days(30))
            }
        let key = try PrivateKey(algorithm)
        let certificate = try self.intermediate.issue(
            CertificateRequest(
                commonName: commonName, dnsNames: names, notBefore: self.now + from, notAfter: self.now + until),
            key: key)
        let chain = [certificate, self.intermediate.certificate, self.root.certificate]
        return Leaf(certificate: certificate, key: key, chainPEM: chain.map(\.pem).joined())
    }
}

extension Duration {
    fileprivate static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}
