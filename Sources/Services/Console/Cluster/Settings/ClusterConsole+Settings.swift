import ControlAPI
import SwiftProtobuf

extension ClusterConsole {
    /// Shows the settings that all nodes share; for people as a file that `setSettings` takes.
    package func showSettings() async throws(ConsoleFailure) {
        let answer = try await self.settings()
        let document = FleetDocument(settings: answer.settings)
        try self.write(.document([Self.version(answer.version)] + document.fields)) { document.yaml }
    }

    /// Shows what a file would change.
    package func diffSettings(file path: String) async throws(ConsoleFailure) {
        let wanted = try ControlFleetSettings(file: path)
        let answer = try await self.settings()
        let difference = FleetDifference(from: answer.settings, to: wanted)
        try self.write(.document([Self.version(answer.version), difference.field])) { difference.lines }
    }

    /// Has the settings be as a file says, and shows what that changes.
    package func setSettings(file path: String, _ change: ClusterChange) async throws(ConsoleFailure) {
        let wanted = try ControlFleetSettings(file: path)
        let before = try await self.settings()
        let difference = FleetDifference(from: before.settings, to: wanted)
        guard !difference.changes.isEmpty || before.version == 0 else {
            return try self.write(
                .document(change.fields("set") + [Self.version(before.version), difference.field])
            ) { ["the settings are so already"] }
        }
        let answer = try await self.change(
            [("the settings", before.version)],
            current: { _ throws(ConsoleFailure) in try await self.settings().version }
        ) { options in
            try await self.fleet.setSettings(
                .with {
                    $0.settings = wanted
                    $0.baseVersion = before.version
                    $0.context = change.context
                }, options: options)
        }
        let fields =
            change.fields("set") + [
                Self.version(answer.version), .init("state_version", .number(Int(clamping: answer.stateVersion))),
                difference.field,
            ]
        try self.write(.document(fields)) { difference.lines + [change.told("changed the settings")] }
        try await self.wait(for: answer.stateVersion, change)
    }

    private static func version(_ version: UInt64) -> OutputValue.Field {
        .init("version", .number(Int(clamping: version)))
    }

    private func settings() async throws(ConsoleFailure) -> ControlGetSettingsResponse {
        try await self.ask { options in try await self.fleet.getSettings(.init(), options: options) }
    }
}

/// What differs between settings.
struct FleetDifference {
    /// By key, what it is and what it shall be.
    let changes: [(key: FleetKey, from: OutputValue, to: OutputValue)]

    init(from old: ControlFleetSettings, to new: ControlFleetSettings) {
        let pairs = zip(FleetDocument(settings: old).values, FleetDocument(settings: new).values)
        self.changes = pairs.filter { $0.value != $1.value }.map { ($0.key, $0.value, $1.value) }
    }

    var field: OutputValue.Field {
        let records = self.changes.map { key, from, to -> OutputValue in
            .record([.init("key", .text(key.rawValue)), .init("from", from), .init("to", to)])
        }
        return .init("differences", .list(records))
    }

    /// As `diff` has it: what goes has -, what comes +. Elements of lists that stay are not shown.
    var lines: [String] {
        self.changes.flatMap { key, from, to -> [String] in
            let (old, new) = (from.elements, to.elements)
            let gone = old.filter { !new.contains($0) }.map { "- \($0.json)" }
            let come = new.filter { !old.contains($0) }.map { "+ \($0.json)" }
            let both = gone + come
            return [key.rawValue] + (both.isEmpty ? ["another order"] : both).map { "  \(TextTable.shown($0))" }
        }
    }
}

extension OutputValue {
    /// Of a list its elements, and else the value itself.
    fileprivate var elements: [OutputValue] {
        if case .list(let values) = self { values } else { [self] }
    }
}
