import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
import MailModel
import NodeState
import OperatingSystem
import SwiftProtobuf
import Testing

/// Resources of a controller as literals.
enum Resources {
    static func domain(
        _ name: String, version: UInt64 = 1, _ fill: (inout ControlDomain) -> Void = { _ in }
    ) -> ControlResource {
        var domain = ControlDomain()
        domain.name = name
        fill(&domain)
        return self.resource(name, version, .domain(domain))
    }

    static func part(_ domain: String, _ index: UInt32, _ localParts: [String], version: UInt64 = 1) -> ControlResource
    {
        var part = ControlRecipientListPart()
        part.domain = domain
        part.index = index
        part.localParts = localParts
        let digits = String(index)
        return self.resource(
            "\(domain)/" + String(repeating: "0", count: 4 - digits.count) + digits, version, .recipientListPart(part))
    }

    static func user(_ name: String, hash: String, version: UInt64 = 1) -> ControlResource {
        var user = ControlUser()
        user.name = name
        user.passwordHash = hash
        return self.resource(name, version, .user(user))
    }

    static func settings(version: UInt64 = 1, _ fill: (inout ControlFleetSettings) -> Void) -> ControlResource {
        var settings = ControlFleetSettings()
        fill(&settings)
        return self.resource("fleet", version, .settings(settings))
    }

    /// A certificate for a host, with its key or another one.
    static func certificate(
        _ name: String, for host: String, slot: UInt32 = 0, version: UInt64 = 1, key other: PrivateKey? = nil
    ) throws -> ControlResource {
        let key = try PrivateKey(.p256)
        let now = Timestamp.systemNow
        let own = try CertificateAuthority.selfSigned(
            CertificateRequest(
                commonName: host, dnsNames: [host], notBefore: now + .seconds(-300), notAfter: now + .seconds(86_400)),
            key: key)
        var certificate = ControlCertificate()
        certificate.name = name
        certificate.slot = slot
        certificate.chainPem = own.certificate.pem
        certificate.privateKeyDer = Data((other ?? key).der)
        return self.resource(name, version, .certificate(certificate))
    }

    /// That a resource counts for so many seconds.
    static func lifetime(_ resource: ControlResource, seconds: Int64) -> ControlResourceLifetime {
        .with {
            $0.key.type = if case .certificate = resource.content { .certificate } else { .domain }
            $0.key.name = resource.name
            $0.timeToLive = .init(seconds: seconds)
        }
    }

    /// One of a type that only later programs know.
    static func fromLaterProgram(_ name: String, version: UInt64) throws -> ControlResource {
        let known: [UInt8] = try ControlResource.with {
            $0.name = name
            $0.version = version
        }.serializedBytes()
        // Field 99, a message without fields.
        return try ControlResource(serializedBytes: known + [0x9a, 0x06, 0x00])
    }

    private static func resource(
        _ name: String, _ version: UInt64, _ content: ControlResource.OneOf_Content
    ) -> ControlResource {
        var resource = ControlResource()
        resource.name = name
        resource.version = version
        resource.content = content
        return resource
    }
}

/// The whole content that resources make, or the fault in them.
func content(of resources: [ControlResource]) throws(ResourceFault) -> NodeStateContent {
    var set = try ResourceSet(version: 1, resources)
    return try set.content(at: .test)
}

func fault(of resources: [ControlResource]) -> ResourceFault? {
    do throws(ResourceFault) {
        _ = try content(of: resources)
        return nil
    } catch {
        return error
    }
}

extension MonotonicInstant {
    static let test = MonotonicInstant(nanoseconds: 0)
}
