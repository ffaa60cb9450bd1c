package import ClusterModel
package import ControlAPI
package import Cryptography
package import MailModel
import NodeState
import SwiftProtobuf

/// A resource of a controller whose content is checked for itself.
package struct ReadResource: Sendable {
    package enum Content: Sendable {
        case domain(DomainResource)
        case recipientListPart(domain: DomainName, index: Int, localParts: [String])
        case user(PasswordHash)
        case certificate(slot: UInt32, ServerCertificate)
        case settings(FleetResource)
    }

    /// Parts of one list: as many as four digits number.
    static let mostParts: UInt32 = 10_000

    package let version: UInt64
    package let content: Content
    /// As it came, in protocol buffers.
    let serialized: [UInt8]
    /// SHA-256 of the content; of a certificate, that of its leaf.
    let sha256: [UInt8]

    /// Reads a resource, or says what is wrong with it.
    package init(_ resource: ControlResource) throws(ResourceFault) {
        guard let key = resource.key else { throw ResourceFault(nil, "\(resource.name) has no content") }
        self.version = resource.version
        self.content = try Self.content(of: resource, key)
        do {
            self.serialized = try resource.serializedBytes()
        } catch {
            throw ResourceFault(key, "\(error)")
        }
        if case .certificate(_, let certificate) = self.content {
            self.sha256 = Digests.sha256(certificate.chain[0].value.der)
        } else {
            self.sha256 = Digests.sha256(self.serialized)
        }
    }

    private static func content(of resource: ControlResource, _ key: ResourceKey) throws(ResourceFault) -> Content {
        switch resource.content {
        case .domain(let domain): return .domain(try DomainResource(domain, key))
        case .recipientListPart(let part): return try Self.listPart(part, key)
        case .user(let user): return .user(try Self.hash(of: user, key))
        case .certificate(let certificate):
            return .certificate(slot: certificate.slot, try Self.certificate(certificate, key))
        case .settings(let settings): return .settings(try FleetResource(settings, key))
        case nil: throw ResourceFault(key, "it has no content")
        }
    }

    private static func listPart(
        _ part: ControlRecipientListPart, _ key: ResourceKey
    ) throws(ResourceFault) -> Content {
        guard let domain = DomainName(part.domain), part.index < Self.mostParts,
            key.name == Self.partName(domain, Int(part.index))
        else { throw ResourceFault(key, "its name does not say its domain and index: \(part.domain), \(part.index)") }
        let wrong = part.localParts.first { Mailbox("\($0)@domain.invalid") == nil }
        if let wrong { throw ResourceFault(key, "\(wrong) is not the part of an address before the @") }
        let localParts = part.localParts.compactMap { Mailbox("\($0)@domain.invalid")?.localPart }
        return .recipientListPart(domain: domain, index: Int(part.index), localParts: localParts)
    }

    /// The name of a part of a domain's list: the index has four digits.
    static func partName(_ domain: DomainName, _ index: Int) -> String {
        let digits = String(index)
        return "\(domain.text)/" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func hash(of user: ControlUser, _ key: ResourceKey) throws(ResourceFault) -> PasswordHash {
        guard user.name == key.name, (1...UserCredentials.maximumNameBytes).contains(user.name.utf8.count) else {
            throw ResourceFault(key, "the name of a user has 1 to \(UserCredentials.maximumNameBytes) bytes")
        }
        guard let hash = PasswordHash(user.passwordHash) else {
            // The text is never shown: it may be a password.
            throw ResourceFault(key, "its hash of the password is none that relayd knows")
        }
        return hash
    }

    private static func certificate(
        _ certificate: ControlCertificate, _ key: ResourceKey
    ) throws(ResourceFault) -> ServerCertificate {
        guard certificate.name == key.name, !key.name.isEmpty else { throw ResourceFault(key, "its name is another") }
        do {
            let own = try PrivateKey(der: Array(certificate.privateKeyDer))
            let made = try ServerCertificate(
                chainPEM: Array(certificate.chainPem.utf8), keyPEM: Array(own.pem.utf8))
            // OpenSSL says here, for this one, what it would say of all.
            _ = try ServedCertificates([made])
            return made
        } catch {
            throw ResourceFault(key, "\(error)")
        }
    }
}

extension ControlResource {
    /// Names it; `nil` without content.
    package var key: ResourceKey? {
        switch self.content {
        case .domain: ResourceKey(type: .domain, name: self.name)
        case .recipientListPart: ResourceKey(type: .recipientListPart, name: self.name)
        case .user: ResourceKey(type: .user, name: self.name)
        case .certificate: ResourceKey(type: .certificate, name: self.name)
        case .settings: ResourceKey(type: .settings, name: self.name)
        case nil: nil
        }
    }
}
