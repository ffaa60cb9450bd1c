package import ClusterModel
import ControlAPI
import MailModel
import SwiftProtobuf

extension ClusterConsole {
    /// Lists the enrolled nodes.
    package func listNodes() async throws(ConsoleFailure) {
        let now = self.time.date
        let documents = try await self.allNodes().map { NodeDocument(node: $0) }
        try self.terminal.write(list: "nodes", documents.map(\.fields), as: self.format) {
            var table = NodeDocument.table(self.terminal.style)
            return table.lines(documents.map { $0.row(now: now) })
        }
    }

    /// Shows one node.
    package func showNode(_ name: String) async throws(ConsoleFailure) {
        let document = NodeDocument(node: try await self.difference(of: name).node)
        let now = self.time.date
        try self.write(.document(document.fields)) { document.lines(now: now) }
    }

    /// Shows where a node's state differs from the latest one.
    package func diffNode(_ name: String) async throws(ConsoleFailure) {
        let difference = NodeDifference(answer: try await self.difference(of: name))
        try self.write(difference.document) { difference.lines(self.terminal.style) }
    }

    /// Refuses a node, or a person, from the next call on.
    package func revoke(
        _ name: String, _ role: ClusterRole, _ change: ClusterChange
    ) async throws(ConsoleFailure) {
        let again = role == .node ? "enrol" : "log in"
        try self.confirm(
            "revoke \(role.rawValue) \(name), who must \(again) with a new token to come back", "revoke", change)
        try await self.ask { options in
            if role.isOfPeople {
                _ = try await self.fleet.revokePerson(
                    .with {
                        $0.name = name
                        $0.role = ControlRole(role)
                        $0.context = change.context
                    }, options: options)
            } else {
                _ = try await self.fleet.revokeNode(
                    .with {
                        $0.name = name
                        $0.context = change.context
                    }, options: options)
            }
        }
        let fields = change.fields("revoke") + [.init("name", .text(name)), .init("role", .text(role.rawValue))]
        try self.write(.document(fields)) { [change.told("revoked \(role.rawValue) \(name)")] }
    }

    private func difference(of name: String) async throws(ConsoleFailure) -> ControlDiffNodeResponse {
        try await self.ask { options in
            try await self.fleet.diffNode(.with { $0.name = name }, options: options)
        }
    }
}
