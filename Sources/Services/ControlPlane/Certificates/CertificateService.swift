import ClusterModel
package import ControlAPI
import ControlStore
import Cryptography
import Foundation
package import GRPCCore
package import MailModel
import SwiftProtobuf

/// Certificates that nodes show to SMTP clients. A key comes in by `ImportCertificate`, and goes out to nodes only (control 17).
package struct CertificateService: ControlCertificateService.SimpleServiceProtocol {
    /// The most certificates of a cluster, and so the slots.
    static let maximumCertificates = 100

    private let writer: StateWriter
    private let messages: ResourceMessages
    private let clock: any NodeClock

    package init(writer: StateWriter, keys: KeyRing, clock: any NodeClock) {
        self.writer = writer
        self.messages = ResourceMessages(keys: keys)
        self.clock = clock
    }

    package func listCertificates(
        request: ControlListCertificatesRequest, context: ServerContext
    ) async throws -> ControlListCertificatesResponse {
        let found = try await self.writer.current().resources(of: .certificate).map(Self.summary)
        return .with { $0.certificates = found.sorted { $0.slot < $1.slot } }
    }

    package func getCertificate(
        request: ControlGetCertificateRequest, context: ServerContext
    ) async throws -> ControlGetCertificateResponse {
        let name = try CheckedCertificate.name(request.name)
        guard let stored = try await self.writer.current()[ResourceKey(type: .certificate, name: name)] else {
            throw RPCError(code: .notFound, message: "there is no certificate \(name)")
        }
        return try .with { $0.certificate = try Self.summary(stored) }
    }

    package func importCertificate(
        request: ControlImportCertificateRequest, context: ServerContext
    ) async throws -> ControlImportCertificateResponse {
        let change = try ChangeRequest(request.context)
        let checked = try CheckedCertificate(request, at: self.clock.date)
        let key = ResourceKey(type: .certificate, name: checked.name)
        let state = try await self.writer.retrying {
            let before = try await self.writer.current()
            let new = checked.message(slot: try Self.slot(request, key, in: before))
            let write = ResourceWrite(
                key: key, content: try new.stored, secret: try self.messages.seal(checked.keyDER, of: key),
                base: request.hasBaseVersion ? request.baseVersion : before[key]?.version ?? 0)
            let row = change.change(
                "certificate.import", "certificate/\(key.name)", before: try before[key]?.certificate, after: new)
            return try await self.writer.write(.certificate, [write], [row])
        } unless: {
            request.hasBaseVersion
        }
        return try .with {
            $0.stateVersion = state.version
            if let stored = state[key] { $0.certificate = try Self.summary(stored) }
        }
    }

    private static func slot(
        _ request: ControlImportCertificateRequest, _ key: ResourceKey, in state: StateSnapshot
    ) throws -> UInt32 {
        let all = try state.resources(of: .certificate).map { try $0.certificate }
        let own = all.first { $0.name == key.name }
        guard own != nil || all.count < Self.maximumCertificates else {
            throw RPCError(
                code: .failedPrecondition, message: "a cluster has at most \(Self.maximumCertificates) certificates")
        }
        guard request.hasSlot else { return own?.slot ?? (all.map(\.slot).max().map { $0 + 1 } ?? 0) }
        guard request.slot < 10 * Self.maximumCertificates else {
            throw RPCError.invalid("slot", "\(request.slot) is more than \(10 * Self.maximumCertificates - 1)")
        }
        if let other = all.first(where: { $0.slot == request.slot && $0.name != key.name }) {
            throw RPCError.invalid("slot", "\(request.slot) is that of certificate \(other.name)")
        }
        return request.slot
    }

    private static func summary(_ stored: StoredResource) throws -> ControlCertificateSummary {
        let certificate = try stored.certificate
        let leaf = try Certificate.readAll(pem: Array(certificate.chainPem.utf8))[0].value
        return .with {
            $0.name = certificate.name
            $0.version = stored.version
            $0.slot = certificate.slot
            $0.dnsNames = leaf.dnsNames
            $0.chainPem = certificate.chainPem
            $0.notBefore = .init(leaf.notBefore)
            $0.notAfter = .init(leaf.notAfter)
            $0.publicKeySha256 = Data(Digests.sha256(leaf.subjectPublicKeyInfo))
        }
    }
}
