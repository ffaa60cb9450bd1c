package import ClusterModel
import GRPCCore
package import MailModel

/// The enrolment of a node by a command: it puts an identity into a state directory, by which relayd starts without a token.
///
/// Each run is safe to repeat (control 11): where there is a good identity nothing is asked for, and a run that was cut short is
/// continued with the same key.
package struct NodeEnrolment: Sendable {
    /// What came of it.
    package enum Outcome: Sendable {
        /// The node has a certificate from now on.
        case enrolled(ClusterCredential)
        /// It had one already, and the token was not used.
        case alreadyEnrolled(ClusterCredential)
        /// An operator has to do something first; in words.
        case stuck(String)
    }

    private let requests: IdentityRequests
    private let plan: IdentityPlan
    private let token: JoinToken

    /// - Parameter connect: a connection with this proof.
    package init(
        _ nodeName: DomainName, with token: JoinToken, in directory: StateDirectory, time: any NodeClock,
        connect: @escaping @Sendable (ControllerConnection.Proof) -> ControllerConnection
    ) {
        self.requests = IdentityRequests(directory: directory, nodeName: nodeName, time: time, connect: connect)
        self.plan = IdentityPlan(nodeName: nodeName, token: token)
        self.token = token
    }

    /// Does what is needed. An identity that has expired is renewed by its key, and only if the controller does not take that by
    /// the token.
    package func run() async throws -> Outcome {
        switch self.plan.step(self.requests.directory.identity, at: self.requests.time.date) {
        case .follow(let credential): return .alreadyEnrolled(credential)
        case .comeBack(let credential):
            do {
                return .enrolled(try await self.requests.comeBack(credential))
            } catch let error as RPCError where error.isRefusal {
                return .enrolled(try await self.requests.enrol(self.token))
            }
        case .enrol(let token): return .enrolled(try await self.requests.enrol(token))
        case .stuck(let reason): return .stuck(reason)
        }
    }
}
