extension ConsoleTerminal {
    /// Writes one document, or lines for people.
    func write(
        _ document: OutputValue, as format: OutputFormat, table: () -> [String]
    ) throws(ConsoleFailure) {
        switch format {
        case .table: for line in table() { try self.print(line) }
        case .json, .jsonl: try self.print(document.json)
        case .yaml: try self.print(document.yaml)
        }
    }

    /// Writes a list: one document under this name, a document for each record with jsonl, or a table.
    ///
    /// - Parameter more: what the one document tells beside the list.
    func write(
        list name: String, _ records: [[OutputValue.Field]], more: [OutputValue.Field] = [], as format: OutputFormat,
        table: () -> [String]
    ) throws(ConsoleFailure) {
        guard format != .jsonl else {
            for record in records { try self.print(OutputValue.document(record).json) }
            return
        }
        let list = OutputValue.Field(name, .list(records.map { .record($0) }))
        try self.write(.document(more + [list]), as: format, table: table)
    }
}
