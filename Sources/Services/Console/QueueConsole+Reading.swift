import MailModel
public import QueueStore

extension QueueConsole {
    /// How many entries one page looks at.
    private static let span = 1000
    /// The same of each shard, where a page goes by age over all of them.
    private static let spanByAge = 200
    /// How many of the longest queues an exact summary shows.
    private static let longestQueues = 10

    /// Lists entries, page by page, in the order of their keys.
    ///
    /// - Parameters:
    ///   - limit: the most entries; 0 is all.
    ///   - after: where to go on, as an earlier list told.
    ///   - order: of the whole list.
    public func list(
        _ selection: EntrySelection, limit: Int, after: String?, order: QueueOrder = .key
    ) async throws(ConsoleFailure) {
        var cursor: QueueCursor?
        if let after {
            guard let read = QueueCursor(after) else {
                throw ConsoleFailure(.usage, "\(after) is no place in the queue")
            }
            cursor = read
        }
        let now = try await self.queue.now()
        let parts = try selection.parsed(now: now).parts
        guard parts.count == 1 || after == nil && order == .key else {
            throw ConsoleFailure(.usage, "with so many ids a list goes neither by age nor by --after")
        }
        var printer = EntryPrinter(format: self.format, now: now, terminal: self.terminal)
        var left = limit > 0 ? limit : .max
        for part in parts where left > 0 {
            cursor = try await self.list(part, after: cursor, order, &left, &printer)
        }
        try printer.end(next: parts.count == 1 ? cursor?.text : nil)
        if printer.count == 0, !selection.ids.isEmpty { throw ConsoleFailure(.badData, "no such message in the queue") }
    }

    /// Prints the next entries; where to go on, if there are more than are wanted.
    private func list(
        _ selection: QueueSelection, after start: QueueCursor?, _ order: QueueOrder, _ left: inout Int,
        _ printer: inout EntryPrinter
    ) async throws(ConsoleFailure) -> QueueCursor? {
        var cursor = start
        repeat {
            let most = order == .age ? Self.spanByAge : Self.span
            let span = selection.isEverything ? min(left, most) : most
            let from = cursor
            let page = try await self.queue.page(of: selection, after: from, span: span, order: order)
            let shown = page.entries.prefix(left)
            try printer.print(shown)
            left -= shown.count
            let isCut = shown.count < page.entries.count
            cursor = isCut ? shown.last.map { QueueCursor(after: $0.key) } : page.next
        } while cursor != nil && left > 0
        return cursor
    }

    /// Shows all that is known of one message.
    public func show(_ id: String) async throws(ConsoleFailure) {
        let id = try EntrySelection.message(id)
        let now = try await self.queue.now()
        var selection = QueueSelection()
        selection.messages = [id]
        let details = MessageDocument(
            id: id, message: try await self.queue.message(id),
            entries: try await self.queue.page(of: selection, after: nil, span: Self.span, order: .key).entries,
            trace: try await self.queue.trace(of: id))
        guard details.isKnown else { throw ConsoleFailure(.badData, "nothing is known of message \(id)") }
        try self.write(details.document) { details.lines(now: now, self.terminal.style) }
    }

    /// Writes the content of a message to standard output piece by piece: unchanged into a file or a pipe, and made safe for a
    /// terminal.
    ///
    /// - Parameter part: all of it, or its header section alone, or what follows that.
    public func cat(_ id: String, _ part: ContentPart = .all) async throws(ConsoleFailure) {
        let id = try EntrySelection.message(id)
        guard let found = try await self.queue.message(id), found.finishedAt == nil else {
            throw ConsoleFailure(.badData, "message \(id) is not in the queue")
        }
        var text = TerminalText()
        var cutter = ContentCutter(part)
        try await self.queue.read(found) { (piece) throws(ConsoleFailure) in
            let kept = cutter.kept(of: piece)
            try self.write(self.terminal.isShown ? text.shown(kept) : kept)
            return !cutter.isAtEnd
        }
        if self.terminal.isShown { try self.write(text.end()) }
    }

    private func write(_ bytes: [UInt8]) throws(ConsoleFailure) {
        if !bytes.isEmpty { try self.terminal.write(bytes) }
    }

    /// Shows how much is in the queue.
    ///
    /// - Parameter isExact: count every entry, and name the domains with the longest queues; else take the running sums.
    public func summarize(isExact: Bool) async throws(ConsoleFailure) {
        let now = try await self.queue.now()
        let overview = try await self.queue.overview()
        let census = isExact ? try await self.queue.census(domains: Self.longestQueues) : nil
        let summary = SummaryDocument(
            summary: census?.summary ?? overview.summary, oldest: overview.oldest, resting: overview.resting,
            domains: census?.domains)
        try self.write(summary.document) { summary.lines(now: now, self.terminal.style) }
    }

    /// Shows how old what is in the queue is, by domain.
    ///
    /// - Parameter limit: of domains.
    public func shape(_ states: [QueueListing.State], limit: Int) async throws(ConsoleFailure) {
        let shape = try await self.queue.shape(of: Set(states), domains: limit)
        let document = ShapeDocument(shape: shape)
        try self.write(document.document) { document.lines(self.terminal.style) }
    }
}
