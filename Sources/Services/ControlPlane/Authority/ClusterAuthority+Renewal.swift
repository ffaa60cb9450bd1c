import ClusterModel
import ControlAPI
import ControlStore
import Cryptography
import Foundation
import GRPCCore

extension ClusterAuthority {
    /// A new certificate for the caller's own identity, over the key of the request.
    func renew(_ caller: Caller, _ signingRequest: Data) async throws -> ControlIssuedIdentity {
        let key = try EnrollmentService.publicKey(signingRequest)
        guard let current = try await self.store.certificate(sha256: caller.fingerprint) else {
            throw RPCError(
                code: .permissionDenied,
                message: "the cluster does not know the certificate of \(caller.identity); enrol with a new join token")
        }
        let candidate = try self.issue(caller.identity, publicKey: key)
        switch try await self.store.recordRenewal(candidate.row, replacing: current.publicKeySHA256) {
        case .recorded: return try self.answer(candidate.row.der)
        case .revoked: throw RPCError(code: .permissionDenied, message: "\(caller.identity) is revoked")
        case .unknownIdentity, .otherKey:
            throw RPCError(
                code: .permissionDenied,
                message: "\(caller.identity) was enrolled anew with another key; enrol with a new join token")
        }
    }
}
