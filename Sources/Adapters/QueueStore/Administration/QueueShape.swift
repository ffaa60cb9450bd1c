public import MailModel
import PostgresDriver

/// How old what is in the queue is, by domain, as Postfix's qshape shows it.
public struct QueueShape: Hashable, Sendable {
    /// The ages in minutes that part the columns, each twice the one before it. The first column has what is younger
    /// than the first of them, the last what is at least as old as the last.
    public static let bounds = [5, 10, 20, 40, 80, 160, 320, 640, 1280]

    /// The entries of one row.
    public struct Row: Hashable, Sendable {
        /// The recipients' domain; `nil` for all of them.
        public let domain: DomainName?
        /// All entries.
        public let total: Int
        /// Those of each age, from the youngest: one more than there are bounds.
        public let ages: [Int]

        package init(domain: DomainName?, total: Int, ages: [Int]) {
            self.domain = domain
            self.total = total
            self.ages = ages
        }
    }

    /// All domains together.
    public let total: Row
    /// The domains with the most entries, the longest queue first.
    public let domains: [Row]

    package init(total: Row, domains: [Row]) {
        self.total = total
        self.domains = domains
    }
}

extension QueueAdministration {
    /// Counts every entry by age and domain: a scan of the whole queue, but not of its messages.
    ///
    /// - Parameters:
    ///   - states: of those in these states; none is all.
    ///   - limit: of domains.
    public func shape(
        of states: Set<QueueListing.State> = [], domains limit: Int
    ) async throws(QueueStoreError) -> QueueShape {
        let results = try await self.longRunning(
            Statement(
                Self.shapeSQL, states.map(\.rawValue).sorted(), QueueShape.bounds.map { Int32(clamping: $0) },
                Int64(limit)))
        var total = QueueShape.Row(domain: nil, total: 0, ages: QueueShape.bounds.map { _ in 0 } + [0])
        var domains: [QueueShape.Row] = []
        for row in results.rows {
            let count = Int(try row.value(1, as: Int64.self))
            var ages: [Int] = []
            for column in QueueShape.bounds.indices { ages.append(Int(try row.value(column + 2, as: Int64.self))) }
            let all = ages + [count - ages.reduce(0, +)]
            if try row.value(0, as: String?.self) == nil {
                total = QueueShape.Row(domain: nil, total: count, ages: all)
            } else {
                domains.append(QueueShape.Row(domain: try row.domain(0), total: count, ages: all))
            }
        }
        return QueueShape(total: total, domains: domains)
    }

    private static let shapeSQL: String = {
        let columns = QueueShape.bounds.indices.map { index in
            "count(*) FILTER (WHERE age = \(index)) AS a\(index)"
        }
        let sums = QueueShape.bounds.indices.map { "sum(a\($0))::int8" }
        let all = (["entries"] + QueueShape.bounds.indices.map { "a\($0)" }).joined(separator: ", ")
        return """
            WITH \(QueueAdministration.entriesSQL), aged AS (
                SELECT domain, width_bucket((extract(epoch FROM now() - arrived_at) / 60)::int4, $2) AS age
                FROM entries WHERE cardinality($1::text[]) = 0 OR state = ANY ($1)
            ), counted AS MATERIALIZED (
                SELECT domain, count(*) AS entries, \(columns.joined(separator: ", ")) FROM aged GROUP BY domain)
            (SELECT NULL, coalesce(sum(entries), 0)::int8, \(sums.map { "coalesce(\($0), 0)" }.joined(separator: ", "))
                FROM counted)
            UNION ALL (SELECT domain, \(all) FROM counted ORDER BY entries DESC, domain LIMIT $3)
            """
    }()
}
