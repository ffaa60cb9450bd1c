import ClusterModel
package import ControlAPI
import ControlStore
package import GRPCCore
import MailModel
import SwiftProtobuf

extension FleetService {
    /// The most resources that an answer names; a node that has nothing differs in all of them.
    private static let maximumDifferences = 20_000

    package func listNodes(
        request: ControlListNodesRequest, context: ServerContext
    ) async throws -> ControlListNodesResponse {
        let page = try PageRequest(size: request.pageSize, token: request.pageToken)
        let version = try await self.store.stateVersion()
        let found = try await self.store.nodes(after: page.after, limit: page.size + 1)
        return .with {
            $0.nodes = found.prefix(page.size).map { ControlNode($0, desired: version, at: self.clock.date) }
            if found.count > page.size { $0.nextPageToken = found[page.size - 1].name }
            $0.stateVersion = version
        }
    }

    package func diffNode(
        request: ControlDiffNodeRequest, context: ServerContext
    ) async throws -> ControlDiffNodeResponse {
        guard
            let identity = ClusterIdentity(cluster: self.authority.cluster, role: .node, name: request.name)
        else { throw RPCError.invalid("name", "\(FieldChecks.shown(request.name)) is not a host name in lower case") }
        let state = try await self.writer.current()
        guard let node = try await self.store.node(identity.name) else {
            throw RPCError(code: .notFound, message: "there is no node \(identity.name)")
        }
        let rows = try await self.store.served(by: identity.name)
        let served = ResourceVersions(rows.map { ($0.key, $0.version) }) { first, _ in first }
        let difference = StateDifference(from: served, to: state.versions)
        let keys = (difference.changed + difference.removed).sorted().prefix(Self.maximumDifferences)
        return .with {
            $0.node = ControlNode(node, desired: state.version, at: self.clock.date)
            $0.desiredVersion = state.version
            $0.sentVersion = node.sent
            $0.resources = keys.map { key in
                .with {
                    $0.key = ControlResourceKey(key)
                    $0.desired = state.versions[key] ?? 0
                    $0.served = served[key] ?? 0
                }
            }
        }
    }
}
