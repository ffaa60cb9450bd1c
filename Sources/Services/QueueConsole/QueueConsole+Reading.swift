import MailModel
import QueueStore

extension QueueConsole {
    /// How many entries one page looks at.
    private static let span = 1000
    /// How many of the longest queues an exact summary shows.
    private static let longestQueues = 10

    /// Lists entries, page by page, in the order of their keys.
    ///
    /// - Parameters:
    ///   - limit: the most entries; 0 is all.
    ///   - after: where to go on, as an earlier list told.
    public func list(
        _ selection: EntrySelection, limit: Int, after: String?
    ) async throws(ConsoleFailure) {
        var cursor: QueueCursor?
        if let after {
            guard let read = QueueCursor(after) else {
                throw ConsoleFailure(.usage, "\(after) is no place in the queue")
            }
            cursor = read
        }
        let now = try await self.now()
        let selected = try selection.parsed(now: now)
        var printer = EntryPrinter(format: self.format, now: now, terminal: self.terminal)
        var left = limit > 0 ? limit : .max
        repeat {
            let span = selection.isEverything ? min(left, Self.span) : Self.span
            let from = cursor
            let page = try await Self.asked { () throws(QueueStoreError) in
                try await self.queue.page(of: selected, after: from, span: span, isDetailed: true)
            }
            let shown = page.entries.prefix(left)
            try printer.print(shown)
            left -= shown.count
            let isCut = shown.count < page.entries.count
            cursor = isCut ? shown.last.map { QueueCursor(after: $0.key) } : page.next
        } while cursor != nil && left > 0
        try printer.end(next: cursor?.text)
        if printer.count == 0, !selection.ids.isEmpty { throw ConsoleFailure(.badData, "no such message in the queue") }
    }

    /// Shows all that is known of one message.
    public func show(_ id: String) async throws(ConsoleFailure) {
        let id = try EntrySelection.message(id)
        let now = try await self.now()
        var selection = QueueSelection()
        selection.messages = [id]
        let details = try await Self.asked { [selection] () throws(QueueStoreError) in
            MessageDocument(
                id: id, message: try await self.queue.message(id),
                entries: try await self.queue.page(of: selection, span: Self.span, isDetailed: true).entries,
                trace: try await self.queue.trace(of: id))
        }
        guard details.isKnown else { throw ConsoleFailure(.badData, "nothing is known of message \(id)") }
        try self.write(details.document) { details.lines(now: now) }
    }

    /// Writes the content of a message to standard output piece by piece: unchanged into a file or a pipe, and made safe for a
    /// terminal.
    public func cat(_ id: String) async throws(ConsoleFailure) {
        let id = try EntrySelection.message(id)
        let found = try await Self.asked { () throws(QueueStoreError) in try await self.queue.message(id) }
        guard let found, found.finishedAt == nil else {
            throw ConsoleFailure(.badData, "message \(id) is not in the queue")
        }
        var reader = self.queue.content(of: found)
        var text = TerminalText()
        while true {
            let piece: [UInt8]?
            do throws(QueueStoreError) { piece = try await reader.next() } catch {
                if error.code == .entryChanged {
                    throw ConsoleFailure(.badData, "message \(id) was done with meanwhile")
                }
                throw ConsoleFailure(error)
            }
            let shown = self.terminal.isShown ? piece.map { text.shown($0) } ?? text.end() : piece ?? []
            if !shown.isEmpty { try self.terminal.write(shown) }
            guard piece != nil else { return }
        }
    }

    /// Shows how much is in the queue.
    ///
    /// - Parameter isExact: count every entry, and name the domains with the longest queues; else take the running sums.
    public func summarize(isExact: Bool) async throws(ConsoleFailure) {
        let now = try await self.now()
        let summary = try await Self.asked { () throws(QueueStoreError) in
            var summary = try await self.queue.summary()
            var domains: [QueueCensus.Domain]?
            if isExact {
                let census = try await self.queue.census(domains: Self.longestQueues)
                (summary, domains) = (census.summary, census.domains)
            }
            return SummaryDocument(
                summary: summary, oldest: try await self.queue.oldestArrivals(), domains: domains)
        }
        try self.write(summary.document) { summary.lines(now: now) }
    }
}
