/// One TLSA record as it stands in the DNS (RFC 6698 §2.1), usable or not.
///
/// The three numbers are kept as they came, since records with unknown values exist and count. A set of which none is
/// usable still obliges the client to encrypt (RFC 7672 §2.2). Acronyms are those of RFC 7218.
public struct TLSARecord: Hashable, Sendable {
    /// How the association is to be used (RFC 6698 §2.1.1).
    public struct CertificateUsage: RawRepresentable, Hashable, Sendable {
        /// The number in the record.
        public let rawValue: UInt8
        /// Any number is allowed; the meaning of unknown ones is "unusable".
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// 0: a public CA; not used for SMTP (RFC 7672 §3.1.3).
        public static let pkixTA = Self(rawValue: 0)
        /// 1: the server's certificate, also checked against public CAs; not used for SMTP.
        public static let pkixEE = Self(rawValue: 1)
        /// 2: a trust anchor that the server's chain leads to.
        public static let daneTA = Self(rawValue: 2)
        /// 3: the server's own certificate or key.
        public static let daneEE = Self(rawValue: 3)
    }

    /// Which part of the certificate is associated (RFC 6698 §2.1.2).
    public struct Selector: RawRepresentable, Hashable, Sendable {
        /// The number in the record.
        public let rawValue: UInt8
        /// Any number is allowed; the meaning of unknown ones is "unusable".
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// 0: the whole certificate.
        public static let cert = Self(rawValue: 0)
        /// 1: the SubjectPublicKeyInfo.
        public static let spki = Self(rawValue: 1)
    }

    /// How the association data is presented (RFC 6698 §2.1.3).
    public struct MatchingType: RawRepresentable, Hashable, Sendable {
        /// The number in the record.
        public let rawValue: UInt8
        /// Any number is allowed; the meaning of unknown ones is "unusable".
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// 0: the content itself.
        public static let full = Self(rawValue: 0)
        /// 1: its SHA2-256 digest, 32 bytes.
        public static let sha256 = Self(rawValue: 1)
        /// 2: its SHA2-512 digest, 64 bytes.
        public static let sha512 = Self(rawValue: 2)
    }

    /// Certificate usage, selector, matching type and association data, as in the record.
    public let usage: CertificateUsage
    /// Certificate or key.
    public let selector: Selector
    /// Full content or which digest.
    public let matchingType: MatchingType
    /// At most 65,532 bytes of association data.
    public let associationData: [UInt8]

    /// A record of these four fields.
    public init(
        usage: CertificateUsage, selector: Selector, matchingType: MatchingType, associationData: [UInt8]
    ) {
        self.usage = usage
        self.selector = selector
        self.matchingType = matchingType
        self.associationData = associationData
    }

    /// Reads RDATA. Fewer than three bytes are not a TLSA record at all and give `nil`.
    public init?(rdata: some Collection<UInt8>) {
        guard rdata.count >= 3 else { return nil }
        let header = Array(rdata.prefix(3))
        self.init(
            usage: CertificateUsage(rawValue: header[0]), selector: Selector(rawValue: header[1]),
            matchingType: MatchingType(rawValue: header[2]), associationData: Array(rdata.dropFirst(3)))
    }
}

extension TLSARecord: CustomStringConvertible {
    /// The numbers and the first bytes of the data, such as `3 1 1 8c1f09...`, in ASCII since replies and reports quote it.
    public var description: String {
        self.presentation(dataLimit: 8)
    }

    /// The record as it is published (RFC 6698 §2.2), for traces: whole for any digest, and the first 64 bytes of longer data.
    public var presentation: String { self.presentation(dataLimit: 64) }

    private func presentation(dataLimit: Int) -> String {
        let digits = self.associationData.prefix(dataLimit).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        let ellipsis = self.associationData.count > dataLimit ? "..." : ""
        let numbers = [self.usage.rawValue, self.selector.rawValue, self.matchingType.rawValue].map(String.init)
        return "\(numbers.joined(separator: " ")) \(digits.joined())\(ellipsis)"
    }
}
