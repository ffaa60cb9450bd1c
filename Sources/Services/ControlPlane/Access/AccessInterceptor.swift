package import ClusterModel
package import GRPCCore
package import MailModel

/// Lets an RPC through to its handler if the table of permissions has the caller's role, and the caller is not revoked.
///
/// It judges at every RPC, since a connection outlives a revocation (control 16). It also makes statuses of errors, so that no text of
/// a database or a library reaches a client.
package struct AccessInterceptor: ServerInterceptor {
    /// How old the list of revocations may be before nobody is let in by it.
    static let trustedAge = Duration.seconds(10)

    private let cluster: ClusterName
    private let revocations: RevocationTable
    private let clock: any NodeClock
    private let errors: ErrorStatus

    package init(
        cluster: ClusterName, revocations: RevocationTable, clock: any NodeClock, errors: ErrorStatus
    ) {
        self.cluster = cluster
        self.revocations = revocations
        self.clock = clock
        self.errors = errors
    }

    package func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<
                Output
            >
    ) async throws -> StreamingServerResponse<Output> {
        let caller = try self.admit(context)
        let errors = self.errors
        let method = context.descriptor
        let response = try await errors.translating(method) {
            try await Caller.$current.withValue(caller) { try await next(request, context) }
        }
        guard case .success(var contents) = response.accepted else { return response }
        // The stream of answers is made after this call, in a task that has forgotten the caller.
        let producer = contents.producer
        contents.producer = { writer in
            try await errors.translating(method) {
                try await Caller.$current.withValue(caller) { try await producer(writer) }
            }
        }
        return StreamingServerResponse(accepted: .success(contents))
    }

    /// The caller, if it may call this method; `nil` for a stranger whom everything concerns that is for anyone.
    func admit(_ context: ServerContext) throws(RPCError) -> Caller? {
        let caller = Caller(context, of: self.cluster)
        switch AccessTable.rule(for: context.descriptor) {
        case .anyone: return caller
        case nil: throw RPCError(code: .permissionDenied, message: "nobody may call \(context.descriptor)")
        case .roles(let roles):
            guard let caller else { throw self.unknown() }
            try self.check(caller)
            guard roles.contains(caller.identity.role) else {
                throw RPCError(
                    code: .permissionDenied,
                    message: "\(caller.identity) may not call \(context.descriptor): it needs the role "
                        + roles.map(\.rawValue).sorted().joined(separator: " or "))
            }
            return caller
        }
    }

    private func unknown() -> RPCError {
        RPCError(
            code: .unauthenticated,
            message:
                "this method needs a certificate of cluster \(self.cluster) within its dates; none was shown, or its "
                + "authority is not trusted, or it has expired by the controller's clock, which shows \(self.clock.date)"
        )
    }

    private func check(_ caller: Caller) throws(RPCError) {
        guard let heard = self.revocations.heard, self.clock.now - heard < Self.trustedAge else {
            throw RPCError(
                code: .unavailable, message: "this replica has not heard from its database lately; ask another one")
        }
        if self.revocations.isRevoked(caller.fingerprint) {
            throw RPCError(code: .permissionDenied, message: "\(caller.identity) is revoked")
        }
        let now = self.clock.date
        if now > caller.notAfter {
            throw RPCError(
                code: .unauthenticated,
                message:
                    "the certificate of \(caller.identity) ended at \(caller.notAfter), and the controller's clock "
                    + "shows \(now)")
        }
    }
}
