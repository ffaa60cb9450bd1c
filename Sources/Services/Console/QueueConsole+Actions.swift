import MailModel
public import QueueStore

/// Something to be done to entries.
public struct ActionRequest: Hashable, Sendable {
    /// What.
    public var action: QueueAction
    /// To which entries.
    public var selection: EntrySelection
    /// Every entry is meant: without this, a selection without conditions is a mistake.
    public var isEverythingMeant = false
    /// Only count them.
    public var isDryRun = false
    /// It is confirmed already.
    public var isConfirmed = false
    /// Why, for the record.
    public var reason: String?
    /// Who, for the record.
    public var actor: String

    /// A request.
    public init(_ action: QueueAction, _ selection: EntrySelection, by actor: String) {
        self.action = action
        self.selection = selection
        self.actor = actor
    }

    /// What cannot be undone, and what is done to everything, is asked about first.
    var needsConfirmation: Bool { [.fail, .drop].contains(self.action) || self.isEverythingMeant }
}

extension QueueConsole {
    /// How often a line tells of progress.
    private static let progressInterval = Duration.seconds(10)

    /// Does something to entries, once it is clear that it is meant, and writes what it came to.
    public func perform(_ request: ActionRequest) async throws(ConsoleFailure) {
        let name = request.action.rawValue
        guard request.selection.isEverything == request.isEverythingMeant else {
            throw ConsoleFailure(
                .usage,
                request.isEverythingMeant
                    ? "--everything goes with no other selector"
                    : "say which entries to \(name): \(EntrySelection.options), or --everything")
        }
        let selection = try request.selection.parsed(now: try await self.queue.now())
        if request.isDryRun {
            return try self.tell(try await self.count(request, selection), of: request)
        }
        if request.needsConfirmation, !request.isConfirmed { try await self.confirm(request, selection) }
        var told = self.time.now
        let count = try await self.queue.perform(
            request.action, on: selection, by: request.actor, because: request.reason
        ) { seen in
            let now = self.time.now
            guard now - told >= Self.progressInterval else { return }
            told = now
            self.terminal.say("\(seen) entries so far")
        }
        try self.tell(count, of: request)
        if count == QueueActionCount(), !request.selection.ids.isEmpty {
            throw ConsoleFailure(.badData, "there is no such message to \(name)")
        }
    }

    private func count(
        _ request: ActionRequest, _ selection: QueueSelection
    ) async throws(ConsoleFailure) -> QueueActionCount {
        try await self.queue.count(request.action, selection)
    }

    private func confirm(_ request: ActionRequest, _ selection: QueueSelection) async throws(ConsoleFailure) {
        let name = request.action.rawValue
        guard let ask = self.terminal.confirm else {
            throw ConsoleFailure(.usage, "\(name) needs --yes where there is no terminal to ask on")
        }
        let count = try await self.count(request, selection)
        let question = "\(name) \(count.affected.entriesText) (\(selection))? [y/N] "
        guard ask(question) else { throw ConsoleFailure(.failed, "nothing was done") }
    }

    private func tell(_ count: QueueActionCount, of request: ActionRequest) throws(ConsoleFailure) {
        let document = OutputValue.document([
            .init("action", .text(request.action.rawValue)), .init("dry_run", .bool(request.isDryRun)),
            .init("affected", .number(count.affected)), .init("in_delivery", .number(count.inDelivery)),
        ])
        try self.write(document) {
            var line = request.action.told(count.affected, isDryRun: request.isDryRun)
            if count.inDelivery > 0 { line += "; \(count.inDelivery) in delivery, not changed" }
            return [line]
        }
    }
}

extension QueueAction {
    /// What was done, or would be, such as `held 3 entries`.
    fileprivate func told(_ number: Int, isDryRun: Bool) -> String {
        let entries = number.entriesText
        if isDryRun { return "would \(self.rawValue) \(entries)" }
        return switch self {
        case .hold: "held \(entries)"
        case .release: "released \(entries)"
        case .retry: "made \(entries) due"
        case .fail: "gave \(entries) up; the owners report to the senders"
        case .drop: "dropped \(entries)"
        }
    }
}

extension Int {
    fileprivate var entriesText: String { self == 1 ? "1 entry" : "\(self) entries" }
}
