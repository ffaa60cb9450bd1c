import ControlAPI
import MailModel
import SwiftProtobuf

extension ClusterConsole {
    /// Shows how the cluster is.
    package func status() async throws(ConsoleFailure) {
        let status = try await self.clusterStatus()
        let fields: [OutputValue.Field] = [
            .init("cluster", .text(status.cluster)),
            .init("state_version", .number(Int(clamping: status.stateVersion))),
            .init("leader", .optional(status.leader.isEmpty ? nil : status.leader)),
            .init("replica", .text(status.replica)), .init("program_version", .text(status.programVersion)),
            .init("nodes", .number(Int(status.nodes))), .init("current_nodes", .number(Int(status.currentNodes))),
            .init("domains", .number(Int(clamping: status.domains))),
            .init("clock", .text("\(Timestamp(status.clock))")),
        ]
        try self.write(.document(fields)) {
            [
                "cluster   \(status.cluster)", "state     \(status.stateVersion)",
                "nodes     \(status.nodes), \(status.currentNodes) of them current", "domains   \(status.domains)",
                "leader    \(status.leader.isEmpty ? "none" : status.leader)",
                "replica   \(status.replica), version \(status.programVersion)",
            ].map(TextTable.shown)
        }
    }

    func clusterStatus() async throws(ConsoleFailure) -> ControlGetStatusResponse {
        try await self.ask { options in try await self.cluster.getStatus(.init(), options: options) }
    }
}
