import MailModel

/// Who a certificate is for: a name with a role in a cluster.
///
/// It is one URI in the certificate, `relay://CLUSTER/ROLE/NAME` (RFC 5280 §4.2.1.6). Each identity has one spelling, so
/// two texts that differ are two identities.
public struct ClusterIdentity: Hashable, Sendable {
    /// The most bytes that the name of a person may have.
    public static let maximumPersonLength = 128

    /// The cluster that it counts in.
    public let cluster: ClusterName
    /// What it may do.
    public let role: ClusterRole
    /// Of nodes and controllers a host name in lower case. Of people 1 to 128 of `a-z 0-9 . _ @ -`.
    public let name: String

    /// An identity; `nil` unless the name is one that the role may have.
    public init?(cluster: ClusterName, role: ClusterRole, name: String) {
        guard role.isOfPeople ? isPersonName(name) : isHostName(name) else { return nil }
        self.cluster = cluster
        self.role = role
        self.name = name
    }

    /// Parses the one spelling of an identity; `nil` for every other text.
    public init?(uri: String) {
        let parts = uri.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].elementsEqual("relay:".utf8), parts[1].isEmpty,
            let cluster = ClusterName(String(Substring(parts[2]))),
            let role = ClusterRole(rawValue: String(Substring(parts[3])))
        else { return nil }
        self.init(cluster: cluster, role: role, name: String(Substring(parts[4])))
    }

    /// The text that certificates, the audit and logs have.
    public var uri: String { "relay://\(self.cluster.text)/\(self.role.rawValue)/\(self.name)" }
}

extension ClusterIdentity: CustomStringConvertible {
    public var description: String { self.uri }
}

/// Labels of letters, digits and hyphens, which begin and end with a letter or a digit (RFC 1123 §2.1).
func isHostName(_ text: String) -> Bool {
    guard let name = DomainName(text), name.text.utf8.elementsEqual(text.utf8) else { return false }
    return name.labels.allSatisfy { label in
        let bytes = label.utf8
        return bytes.first != UInt8(ascii: "-") && bytes.last != UInt8(ascii: "-") && !bytes.contains(UInt8(ascii: "_"))
    }
}

/// Whether a person may have this name.
func isPersonName(_ text: String) -> Bool {
    (1...ClusterIdentity.maximumPersonLength).contains(text.utf8.count) && text.utf8.allSatisfy(isNameByte)
}

/// The bytes of names, of people and of hosts alike.
func isNameByte(_ byte: UInt8) -> Bool {
    isLowerCaseLetter(byte) || isDigit(byte) || "._@-".utf8.contains(byte)
}
