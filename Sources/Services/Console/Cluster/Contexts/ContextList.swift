import ClusterModel
import ControlClient
import Cryptography
package import MailModel

/// What a person sees of contexts.
package struct ContextConsole: Sendable {
    let store: ContextStore
    let format: OutputFormat
    let terminal: ConsoleTerminal
    /// The context that counts.
    let chosen: String?

    package init(store: ContextStore, chosen: String?, format: OutputFormat, terminal: ConsoleTerminal) {
        self.store = store
        self.chosen = chosen
        self.format = format
        self.terminal = terminal
    }

    /// Lists all contexts; one that cannot be read says why.
    package func list(now: Timestamp) throws(ConsoleFailure) {
        let rows = self.store.names().map { self.row($0) }
        try self.terminal.write(list: "contexts", rows.map(\.fields), as: self.format) {
            var table = TextTable("", "CONTEXT", "IDENTITY", "CONTROLLERS", "CREDENTIAL", style: self.terminal.style)
            return table.lines(rows.map { $0.texts(now: now) })
        }
    }

    /// Has a context count where none is named.
    package func use(_ name: String) throws(ConsoleFailure) {
        let context = try self.store.read(name)
        try self.store.use(context.name)
        let fields: [OutputValue.Field] = [.init("action", .text("use")), .init("context", .text(name))]
        try self.terminal.write(.document(fields), as: self.format) { ["context \(name) counts from now on"] }
    }

    /// Forgets a context and its credential.
    package func remove(_ name: String, isConfirmed: Bool) throws(ConsoleFailure) {
        guard self.store.names().contains(name) else { throw ConsoleFailure(.badData, "there is no context \(name)") }
        if !isConfirmed {
            guard let ask = self.terminal.confirm else {
                throw ConsoleFailure(.usage, "remove needs --yes where there is no terminal to ask on")
            }
            guard ask("forget context \(name) and its credential? [y/N] ") else {
                throw ConsoleFailure(.failed, "nothing was done")
            }
        }
        try self.store.remove(name)
        let fields: [OutputValue.Field] = [.init("action", .text("remove")), .init("context", .text(name))]
        try self.terminal.write(.document(fields), as: self.format) { ["forgot context \(name)"] }
    }

    private func row(_ name: String) -> Row {
        do throws(ConsoleFailure) {
            return Row(name: name, isCurrent: name == self.chosen, context: try self.store.read(name), fault: nil)
        } catch {
            return Row(name: name, isCurrent: name == self.chosen, context: nil, fault: "\(error)")
        }
    }

    private struct Row {
        let name: String
        let isCurrent: Bool
        let context: ClusterContext?
        let fault: String?

        var end: Timestamp? { self.context?.credential.certificate.value.notAfter }
        var identity: String? { self.context?.credential.identity.uri }

        var fields: [OutputValue.Field] {
            [
                .init("context", .text(self.name)), .init("current", .bool(self.isCurrent)),
                .init("identity", .optional(self.identity)),
                .init("controllers", .list((self.context?.addresses ?? []).map { .text("\($0)") })),
                .init("credential_not_after", .optional(self.end.map { "\($0)" })),
                .init("fault", .optional(self.fault)),
            ]
        }

        func texts(now: Timestamp) -> [String] {
            let credential = self.end.map { end in
                end > now ? "valid for \((end - now).shortText)" : "expired \((now - end).shortText) ago"
            }
            return [
                self.isCurrent ? "*" : "", self.name, self.identity ?? "-",
                (self.context?.addresses ?? []).map { "\($0)" }.joined(separator: ", "),
                credential ?? self.fault ?? "-",
            ]
        }
    }
}
