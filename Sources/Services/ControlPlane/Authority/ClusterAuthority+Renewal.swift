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
        let (candidate, outcome) = try await self.issue(caller.identity, publicKey: key) {
            try await self.store.recordRenewal($0, replacing: current.publicKeySHA256)
        }
        switch outcome {
        case .recorded: return try self.answer(candidate.der)
        case .revoked: throw RPCError(code: .permissionDenied, message: "\(caller.identity) is revoked")
        case .unknownIdentity, .otherKey:
            throw RPCError(
                code: .permissionDenied,
                message: "\(caller.identity) was enrolled anew with another key; enrol with a new join token")
        }
    }
}
