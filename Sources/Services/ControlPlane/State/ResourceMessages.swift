import ClusterModel
import ControlAPI
import ControlStore
import Cryptography
import Foundation
import SwiftProtobuf

/// Between what the database has of a resource and what nodes get: secrets are apart from the content there, and sealed.
struct ResourceMessages: Sendable {
    let keys: KeyRing

    /// What a secret of a resource is sealed for.
    static func context(of key: ResourceKey) -> String { "resource/\(key.type.rawValue)/\(key.name)" }

    func seal(_ secret: [UInt8], of key: ResourceKey) throws(CryptographyError) -> [UInt8] {
        try self.keys.seal(secret, for: Self.context(of: key))
    }

    /// The resource with its secrets, for nodes only.
    func message(_ stored: StoredResource) throws -> ControlResource {
        var message = ControlResource()
        message.name = stored.key.name
        message.version = stored.version
        switch stored.key.type {
        case .domain: message.domain = try stored.domain
        case .recipientListPart:
            message.recipientListPart = try ControlRecipientListPart(serializedBytes: stored.content)
        case .user:
            var user = try ControlUser(serializedBytes: stored.content)
            user.passwordHash = String(decoding: try self.secret(of: stored), as: UTF8.self)
            message.user = user
        case .certificate:
            var certificate = try stored.certificate
            certificate.privateKeyDer = Data(try self.secret(of: stored))
            message.certificate = certificate
        case .settings: message.settings = try stored.settings
        }
        return message
    }

    private func secret(of stored: StoredResource) throws -> [UInt8] {
        guard let secret = stored.secret else {
            throw ControlPlaneError("\(stored.key) has no secret in the database")
        }
        return try self.keys.open(secret, for: Self.context(of: stored.key))
    }
}

extension StoredResource {
    var domain: ControlDomain { get throws { try ControlDomain(serializedBytes: self.content) } }

    /// Without its key.
    var certificate: ControlCertificate { get throws { try ControlCertificate(serializedBytes: self.content) } }

    var settings: ControlFleetSettings { get throws { try ControlFleetSettings(serializedBytes: self.content) } }
}

extension Message {
    /// The bytes that the database has: the same for the same content.
    var stored: [UInt8] {
        get throws {
            var options = BinaryEncodingOptions()
            options.useDeterministicOrdering = true
            return try self.serializedBytes(options: options)
        }
    }
}
