import ClusterModel
import ControlAPI
import ControlClient
import Foundation
import GRPCCore
import GRPCTransport
import LabRelay
import LabSupport
import NIOPosix
import OperatingSystem
import SwiftProtobuf

/// A cluster with two replicas, and what its administrator does.
struct ControlWorld: Sendable {
    let cluster: LabController
    let first, second: LabController.Replica
    private let load: ControlLoad

    init(_ cluster: LabController, _ load: ControlLoad) throws {
        self.cluster = cluster
        self.load = load
        self.first = try cluster.replica("controller-1")
        self.second = try cluster.replica("controller-2")
    }

    /// In the order in which nodes try them.
    var addresses: [TransportAddress] { [self.first, self.second].map { .host("127.0.0.1", port: Int($0.port)) } }

    /// Stores the domains, and gives a token that all nodes use.
    func fill() async throws -> JoinToken {
        let names = (0..<self.load.domains).map { "d\($0).bench.test" }
        return try await self.call { client in
            for start in stride(from: 0, to: names.count, by: 100) {
                try await Self.apply(names[start..<min(start + 100, names.count)], port: 25, client)
            }
            let made = try await ControlFleetService.Client(wrapping: client).createJoinToken(
                .with {
                    $0.nodePattern = "node-*.bench.test"
                    $0.uses = UInt32(self.load.nodes)
                })
            guard let token = JoinToken(made.token) else { throw LabFailure("not a token: \(made.token)") }
            return token
        }
    }

    /// Changes one domain.
    ///
    /// - Returns: the version of the state with the change.
    func change(_ number: Int) async throws -> UInt64 {
        try await self.call { try await Self.apply(["d0.bench.test"], port: UInt32(2600 + number), $0) }
    }

    @discardableResult
    private static func apply(
        _ names: some Collection<String>, port: UInt32, _ client: GRPCClient<GRPCClientTransport>
    ) async throws -> UInt64 {
        try await ControlDomainService.Client(wrapping: client).applyDomains(
            .with {
                $0.changes = names.map { name in
                    .with {
                        $0.domain = .with {
                            $0.name = name
                            $0.recipientVerification = .none
                            $0.nextHop = .with {
                                $0.host = "hop.bench.test"
                                $0.port = port
                            }
                        }
                    }
                }
            }
        ).stateVersion
    }

    private func call<Result: Sendable>(
        _ body: (GRPCClient<GRPCClientTransport>) async throws -> Result
    ) async throws -> Result {
        let credential = try ClusterCredential(file: self.cluster.credential.path)
        return try await ControllerConnection(
            addresses: [self.addresses[0]], .credential { credential }, group: MultiThreadedEventLoopGroup.singleton,
            random: .system
        ).withClient(body)
    }
}
