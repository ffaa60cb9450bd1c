import MailModel
import QueueStore

/// How old what is in the queue is, by domain.
struct ShapeDocument {
    let shape: QueueShape

    var document: OutputValue {
        .document([
            .init("minutes", .list(QueueShape.bounds.map { .number($0) })),
            .init("total", .record(Self.fields(self.shape.total))),
            .init(
                "domains",
                .list(
                    self.shape.domains.map { row in
                        .record([.init("domain", .optional(row.domain?.text))] + Self.fields(row))
                    })),
        ])
    }

    private static func fields(_ row: QueueShape.Row) -> [OutputValue.Field] {
        [.init("entries", .number(row.total)), .init("ages", .list(row.ages.map { .number($0) }))]
    }

    /// Columns as qshape has them: minutes, each column what is younger than its head says.
    func lines(_ style: TableStyle) -> [String] {
        let heads = QueueShape.bounds.map { "\($0)" } + ["\(QueueShape.bounds.last ?? 0)+"]
        var table = TextTable(["DOMAIN", "T"] + heads, style: style, alignsRight: 1...)
        return table.lines(
            ([self.shape.total] + self.shape.domains).map { row in
                [row.domain?.text ?? "TOTAL", "\(row.total)"] + row.ages.map { "\($0)" }
            })
    }
}
