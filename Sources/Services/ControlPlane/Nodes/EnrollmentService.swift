import ClusterModel
package import ControlAPI
package import ControlStore
import Cryptography
import Foundation
package import GRPCCore
import GRPCTransport
import Logging
package import MailModel
import ServiceSupport
import SwiftProtobuf

/// Gives certificates to those who have none: by a join token, or by the key of an expired certificate (control 11 and 12).
///
/// Strangers call it, so each call is bounded, and so are all calls together.
package struct EnrollmentService: ControlEnrollmentService.SimpleServiceProtocol {
    private let authority: ClusterAuthority
    private let store: ControlStore
    private let clock: any NodeClock
    private let budget: RequestBudget
    private let log: EnrolmentLog

    package init(
        authority: ClusterAuthority, store: ControlStore, clock: any NodeClock, limit: RequestLimit, log: EnrolmentLog
    ) {
        self.authority = authority
        self.store = store
        self.clock = clock
        self.budget = RequestBudget(limit, clock: clock)
        self.log = log
    }

    // MARK: With a token

    package func enroll(request: ControlEnrollRequest, context: ServerContext) async throws -> ControlEnrollResponse {
        try await self.log.recording(.enrolment, request.nodeName, context) {
            try await self.budget.within("enrolments") {
                let issued = try await self.enroll(request)
                return .with {
                    $0.identity = issued
                    $0.cluster = self.authority.cluster.text
                }
            }
        }
    }

    private func enroll(_ request: ControlEnrollRequest) async throws -> ControlIssuedIdentity {
        guard let token = JoinToken(request.token) else { throw RPCError.invalid("token", "not a join token") }
        guard token.cluster == self.authority.cluster else {
            throw RPCError.invalid("token", "of cluster \(token.cluster), and this is \(self.authority.cluster)")
        }
        let identity = try self.identity(request)
        let key = try Self.publicKey(request.signingRequestDer)
        let (candidate, redemption) = try await self.authority.issue(identity, publicKey: key) {
            try await self.store.redeem(secretSHA256: Digests.sha256(token.secret), $0)
        }
        return try self.authority.answer(self.certificate(redemption, candidate))
    }

    private func identity(_ request: ControlEnrollRequest) throws(RPCError) -> ClusterIdentity {
        guard let role = request.role.requested else { throw .invalid("role", "there is no such role") }
        guard
            let identity = ClusterIdentity(cluster: self.authority.cluster, role: role, name: request.nodeName)
        else {
            throw .invalid(
                "node_name", role == .node ? "not a host name in lower case" : "not 1 to 128 of a-z 0-9 . _ @ -")
        }
        return identity
    }

    /// The certificate that a use of a token gives; refusals say what to do.
    private func certificate(_ redemption: Redemption, _ row: CertificateRow) throws(RPCError) -> [UInt8] {
        func refused(_ what: String) -> RPCError { RPCError(code: .permissionDenied, message: what) }
        switch redemption {
        case .accepted: return row.der
        case .repeated(let der): return der
        case .unknownToken: throw RPCError(code: .unauthenticated, message: "this cluster has no such join token")
        case .expiredToken:
            throw RPCError(
                code: .unauthenticated,
                message: "the join token has expired by the controller's clock, \(self.clock.date)")
        case .usedUp: throw refused("the join token was used as often as it may be; ask for a new one")
        case .wrongName: throw refused("the join token is not for the name \(row.identity.name)")
        case .wrongRole: throw refused("the join token is not for the role \(row.identity.role)")
        case .nameTaken(let until):
            throw RPCError(
                code: .alreadyExists,
                message:
                    "\(row.identity.name) is enrolled with another key, and was seen lately; a token for exactly this "
                    + "name replaces it, or this one after \(until)")
        case .revoked: throw refused("\(row.identity) is revoked")
        }
    }

    // MARK: With the old key

    package func comeBack(
        request: ControlComeBackRequest, context: ServerContext
    ) async throws -> ControlComeBackResponse {
        try await self.log.recording(.comingBack, "", context) {
            try await self.budget.within("enrolments") {
                let issued = try await self.comeBack(request)
                return .with { $0.identity = issued }
            }
        }
    }

    private func comeBack(_ request: ControlComeBackRequest) async throws -> ControlIssuedIdentity {
        let key = try Self.publicKey(request.signingRequestDer)
        let old = try self.oldCertificate(Array(request.expiredCertificateDer))
        guard old.certificate.value.subjectPublicKeyInfo == key else {
            throw RPCError.invalid("signing_request_der", "not signed by the key of the expired certificate")
        }
        let now = self.clock.date
        guard self.authority.terms.mayComeBack(notAfter: old.certificate.value.notAfter, at: now) else {
            throw RPCError(
                code: .permissionDenied,
                message:
                    "the certificate of \(old.identity) ended at \(old.certificate.value.notAfter), too long ago by the "
                    + "controller's clock, \(now); enrol with a new join token")
        }
        let (candidate, outcome) = try await self.authority.issue(old.identity, publicKey: key) {
            try await self.store.recordRenewal($0, replacing: Digests.sha256(key))
        }
        switch outcome {
        case .recorded: return try self.authority.answer(candidate.der)
        case .revoked: throw RPCError(code: .permissionDenied, message: "\(old.identity) is revoked")
        case .unknownIdentity, .otherKey:
            throw RPCError(
                code: .permissionDenied,
                message: "\(old.identity) is not enrolled with this key; enrol with a new join token")
        }
    }

    /// A certificate of this cluster for a node, whatever its dates.
    private func oldCertificate(
        _ der: [UInt8]
    ) throws(RPCError) -> (certificate: Certificate, identity: ClusterIdentity) {
        let field = "expired_certificate_der"
        guard der.count <= CertificateSigningRequest.maximumBytes, let certificate = try? Certificate(der: der) else {
            throw .invalid(field, "not a certificate of at most \(CertificateSigningRequest.maximumBytes) bytes")
        }
        guard self.authority.hasIssued(certificate) else {
            throw RPCError(
                code: .permissionDenied,
                message: "\(field): no authority that this cluster trusts has issued it; enrol with a new join token")
        }
        let uris = certificate.value.uris
        guard uris.count == 1, let identity = ClusterIdentity(uri: uris[0]), identity.role == .node,
            identity.cluster == self.authority.cluster
        else { throw .invalid(field, "not of a node of this cluster") }
        return (certificate, identity)
    }

    /// The public key of a signing request, whose signature is its proof.
    static func publicKey(_ der: Data) throws(RPCError) -> [UInt8] {
        do {
            return try CertificateSigningRequest(der: Array(der)).subjectPublicKeyInfo
        } catch {
            throw .invalid("signing_request_der", error.message)
        }
    }
}
