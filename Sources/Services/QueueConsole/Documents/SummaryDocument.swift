import MailModel
import QueueStore

/// How much is in the queue.
struct SummaryDocument {
    let summary: QueueSummary
    let oldest: [QueueListing.Place: Timestamp]
    /// The longest queues, where every entry was counted.
    let domains: [QueueCensus.Domain]?

    private func total(_ place: QueueListing.Place) -> QueueSummary.Total {
        switch place {
        case .ready: self.summary.ready
        case .deferred: self.summary.deferred
        case .held: self.summary.held
        }
    }

    var document: OutputValue {
        let states = QueueListing.Place.allCases.map { place -> OutputValue in
            let oldest = OutputValue.optional(self.oldest[place].map { "\($0)" })
            return .record(
                [.init("state", .text(place.rawValue))] + self.total(place).fields + [.init("oldest", oldest)])
        }
        var fields: [OutputValue.Field] = [
            .init("exact", .bool(self.domains != nil)), .init("states", .list(states)),
            .init("total", .record(self.summary.total.fields)),
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

    func lines(now: Timestamp) -> [String] {
        var table = TextTable("STATE", "ENTRIES", "SIZE", "OLDEST")
        let rows = QueueListing.Place.allCases.map { place in
            self.total(place).row(place.rawValue, age: self.oldest[place].map { now - $0 })
        }
        let age = self.oldest.values.min().map { now - $0 }
        var lines = table.lines(rows + [self.summary.total.row("total", age: age)])
        if let domains, !domains.isEmpty {
            var longest = TextTable("DOMAIN", "ENTRIES", "SIZE", "OLDEST")
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
