/// What lets somebody without a certificate enrol: it names the cluster, pins its authority, and has a secret
/// (control 11).
///
/// Its text is `relay-join_CLUSTER_AUTHORITY_SECRET`, the last two in lower-case hexadecimal digits. What the token
/// permits stands in the database, under the hash of the secret.
public struct JoinToken: Hashable, Sendable {
    /// The bytes of a SHA-256.
    public static let authorityLength = 32
    /// The bytes of a secret: 192 bits, too many to guess.
    public static let secretLength = 24
    private static let scheme = "relay-join"

    /// The cluster to join.
    public let cluster: ClusterName
    /// SHA-256 of the authority's certificate in DER. A controller that cannot show it is not the cluster's.
    public let authority: [UInt8]
    /// What proves that its holder was given the token.
    public let secret: [UInt8]

    /// A token of 32 bytes of authority and 24 bytes of secret.
    public init(cluster: ClusterName, authority: [UInt8], secret: [UInt8]) {
        precondition(authority.count == Self.authorityLength, "a SHA-256 has 32 bytes")
        precondition(secret.count == Self.secretLength, "a token's secret has 24 bytes")
        self.cluster = cluster
        self.authority = authority
        self.secret = secret
    }

    /// Parses the one spelling of a token; `nil` for every other text. Blanks around it are the caller's to remove.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "_"), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].elementsEqual(Self.scheme.utf8),
            let cluster = ClusterName(String(Substring(parts[1]))),
            let authority = bytes(ofHexadecimal: parts[2], count: Self.authorityLength),
            let secret = bytes(ofHexadecimal: parts[3], count: Self.secretLength)
        else { return nil }
        self.init(cluster: cluster, authority: authority, secret: secret)
    }

    /// The token as it is handed to whoever enrols. It is a secret.
    public var text: String {
        [Self.scheme, self.cluster.text, hexadecimal(self.authority), hexadecimal(self.secret)].joined(separator: "_")
    }
}

extension JoinToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret, so that a token in a log line gives nothing away.
    public var description: String { "join token for \(self.cluster.text)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: ["cluster": self.cluster.text]) }
}

/// Two lower-case digits for each byte.
func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// The bytes that exactly so many pairs of lower-case digits stand for.
func bytes(ofHexadecimal text: Substring.UTF8View, count: Int) -> [UInt8]? {
    guard text.count == 2 * count else { return nil }
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in text {
        guard let value = digitValue(digit) else { return nil }
        if let first = high { bytes.append(first << 4 | value) }
        high = high == nil ? value : nil
    }
    return bytes
}

private func digitValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
}
