import ControlAPI
import MailModel
import SwiftProtobuf

extension ControlAuditEntry {
    fileprivate var fields: [OutputValue.Field] {
        [
            .init("id", .number(Int(clamping: self.id))), .init("time", .text("\(Timestamp(self.time))")),
            .init("actor", .text(self.actor)), .init("action", .text(self.action)), .init("object", .text(self.object)),
            .init("before", .optional(self.before.isEmpty ? nil : self.before)),
            .init("after", .optional(self.after.isEmpty ? nil : self.after)),
            .init("reason", .optional(self.reason.isEmpty ? nil : self.reason)),
        ]
    }

    fileprivate var row: [String] {
        [
            "\(Timestamp(self.time))", self.actor, self.action, self.object, self.reason.isEmpty ? "-" : self.reason,
            Self.change(self.before, self.after),
        ]
    }

    private static func change(_ before: String, _ after: String) -> String {
        switch (before.isEmpty, after.isEmpty) {
        case (true, true): "-"
        case (true, false): after
        case (false, true): "\(before) -> gone"
        case (false, false): "\(before) -> \(after)"
        }
    }
}

extension ClusterConsole {
    /// Lists changes of the cluster, the latest first.
    ///
    /// - Parameters:
    ///   - object: only those of this one, such as `domain/alpha.test`.
    ///   - limit: the most; 0 is all.
    package func audit(object: String?, limit: Int) async throws(ConsoleFailure) {
        var entries: [ControlAuditEntry] = []
        var token = ""
        repeat {
            let start = token
            let size = limit > 0 ? min(UInt32(clamping: limit - entries.count), Self.pageSize) : Self.pageSize
            let page = try await self.ask { options in
                try await self.cluster.listAudit(
                    .with {
                        $0.pageSize = size
                        $0.pageToken = start
                        $0.object = object ?? ""
                    }, options: options)
            }
            entries += page.entries
            token = page.nextPageToken
        } while !token.isEmpty && (limit == 0 || entries.count < limit)
        let shown = limit > 0 ? Array(entries.prefix(limit)) : entries
        try self.terminal.write(list: "entries", shown.map(\.fields), as: self.format) {
            var table = TextTable("TIME", "BY", "ACTION", "OBJECT", "REASON", "CHANGE", style: self.terminal.style)
            return table.lines(shown.map(\.row))
        }
    }
}
