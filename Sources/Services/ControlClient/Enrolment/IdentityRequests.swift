import ClusterModel
import ControlAPI
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import MailModel

/// The calls by which a node gets certificates. Each is safe to repeat: the key is kept before it is used, and the same key gets the
/// same answer.
struct IdentityRequests: Sendable {
    /// The most that a call may take.
    static let timeout = Duration.seconds(20)

    let directory: StateDirectory
    let nodeName: DomainName
    let time: any NodeClock
    /// A connection with this proof.
    let connect: @Sendable (ControllerConnection.Proof) -> ControllerConnection

    /// Gets the first certificate, and keeps it.
    func enrol(_ token: JoinToken) async throws -> ClusterCredential {
        let key = try self.directory.enrolmentKey()
        var request = ControlEnrollRequest()
        request.token = token.text
        request.nodeName = self.nodeName.text
        request.signingRequestDer = try self.signingRequest(key)
        request.role = .node
        let message = request
        let reply = try await self.connect(.token(token)).withClient { client in
            try await ControlEnrollmentService.Client(wrapping: client).enroll(message, options: .identity)
        }
        let credential = try self.credential(key, reply.identity)
        guard credential.authorities.contains(where: { Digests.sha256($0.value.der) == token.authority }) else {
            throw IdentityFault("the controller's answer lacks the authority that the join token names")
        }
        return credential
    }

    /// Gets a certificate for the key of one that has expired.
    func comeBack(_ old: ClusterCredential) async throws -> ClusterCredential {
        var request = ControlComeBackRequest()
        request.expiredCertificateDer = Data(old.certificate.value.der)
        request.signingRequestDer = try self.signingRequest(old.key)
        let message = request
        let proof = ControllerConnection.Proof.pinned(old.authorities, of: old.identity.cluster)
        let reply = try await self.connect(proof).withClient { client in
            try await ControlEnrollmentService.Client(wrapping: client).comeBack(message, options: .identity)
        }
        return try self.credential(old.key, reply.identity)
    }

    /// Gets the next certificate for the same key.
    func renew(
        _ old: ClusterCredential, by client: GRPCClient<GRPCClientTransport>
    ) async throws -> ClusterCredential {
        var request = ControlRenewCertificateRequest()
        request.signingRequestDer = try self.signingRequest(old.key)
        let reply = try await ControlNodeService.Client(wrapping: client).renewCertificate(request, options: .identity)
        return try self.credential(old.key, reply.identity)
    }

    private func signingRequest(_ key: PrivateKey) throws -> Data {
        Data(try CertificateSigningRequest.make(key: key, commonName: self.nodeName.text))
    }

    /// What was issued, once it is certain that it is for this node, now, and kept.
    private func credential(_ key: PrivateKey, _ issued: ControlIssuedIdentity) throws -> ClusterCredential {
        let credential = try ClusterCredential(
            key: key, certificate: Certificate(der: Array(issued.certificateDer)),
            authorities: issued.authoritiesDer.map { try Certificate(der: Array($0)) })
        guard credential.identity.role == .node, credential.identity.name == self.nodeName.text else {
            throw IdentityFault("the controller issued a certificate for \(credential.identity)")
        }
        let (value, now) = (credential.certificate.value, self.time.date)
        // It was made a moment ago, so its dates tell the controller's clock (control 15).
        let theirs = value.notBefore + CertificateTerms().backdating
        if let fault = CertificateTerms.validityFault(
            notBefore: value.notBefore, notAfter: value.notAfter, ours: now, theirs: theirs)
        {
            throw IdentityFault(fault)
        }
        try self.directory.keep(credential)
        return credential
    }
}

/// Why a certificate was not taken; in words.
struct IdentityFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension CallOptions {
    fileprivate static var identity: CallOptions {
        var options = CallOptions.defaults
        options.timeout = IdentityRequests.timeout
        return options
    }
}
