import MailModel
import QueueStore

/// How much is in the queue.
struct SummaryDocument {
    let summary: QueueSummary
    let oldest: [QueueListing.State: Timestamp]
    /// How many destinations rest, by what they wait for.
    let resting: [String: Int]
    /// The longest queues, where every entry was counted.
    let domains: [QueueCensus.Domain]?

    var document: OutputValue {
        let states = QueueListing.State.allCases.map { state -> OutputValue in
            let oldest = OutputValue.optional(self.oldest[state].map { "\($0)" })
            return .record(
                [.init("state", .text(state.rawValue))] + self.summary[state].fields + [.init("oldest", oldest)])
        }
        let resting = self.resting.sorted { $0.key < $1.key }.map { reason, count -> OutputValue in
            .record([.init("waits_for", .text(reason)), .init("destinations", .number(count))])
        }
        var fields: [OutputValue.Field] = [
            .init("exact", .bool(self.domains != nil)), .init("states", .list(states)),
            .init("total", .record(self.summary.total.fields)), .init("waiting", .list(resting)),
        ]
        if let domains {
            let longest = domains.map { domain -> OutputValue in
                .record(
                    [.init("domain", .text(domain.name.text))] + domain.total.fields
                        + [.init("oldest", .text("\(domain.oldest)"))])
            }
            fields.append(.init("domains", .list(longest)))
        }
        return .document(fields)
    }

    func lines(now: Timestamp, _ style: TableStyle) -> [String] {
        var table = TextTable("STATE", "ENTRIES", "SIZE", "OLDEST", style: style)
        let rows = QueueListing.State.allCases.map { state in
            self.summary[state].row(state.rawValue, age: self.oldest[state].map { now - $0 })
        }
        let age = self.oldest.values.min().map { now - $0 }
        var lines = table.lines(rows + [self.summary.total.row("total", age: age)])
        lines += self.resting.sorted { $0.key < $1.key }.map { reason, count in
            "\(count == 1 ? "1 domain waits" : "\(count) domains wait") for \(WaitingWords.words(reason))"
        }
        if let domains, !domains.isEmpty {
            var longest = TextTable("DOMAIN", "ENTRIES", "SIZE", "OLDEST", style: style)
            lines += [""] + longest.lines(domains.map { $0.total.row($0.name.text, age: now - $0.oldest) })
        }
        return lines
    }
}

extension QueueSummary.Total {
    fileprivate var fields: [OutputValue.Field] {
        [.init("entries", .number(self.entries)), .init("bytes", .number(self.bytes))]
    }

    fileprivate func row(_ name: String, age: Duration?) -> [String] {
        [name, "\(self.entries)", self.bytes.shortByteText, age.map { $0.shortText } ?? "-"]
    }
}
