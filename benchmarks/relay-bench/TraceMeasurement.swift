import LabSupport
import PostgresDriver

/// Asks the trace what operators ask. There are searches for values of messages that were received at times drawn
/// evenly, so that what is frequent is asked for often. There are also searches for the most frequent value, and for
/// one that is not there.
struct TraceMeasurement {
    let world: TraceWorld
    let searches: Int

    /// How often the most frequent value and the unknown one are asked for.
    private static let repeats = 20
    /// No message has it.
    private static let unknown = "nobody@nowhere.example"

    func run() async throws -> [MeasuredSearch] {
        let samples = try await self.samples()
        guard let first = samples.first?.at, let last = samples.last?.at else { throw LabFailure("the trace is empty") }
        // All that is kept, as a search without times asks.
        let whole = Span(from: first - 86_400_000_000, to: last + 86_400_000_000)
        var measured: [MeasuredSearch] = []
        for question in TraceQuestion.all {
            let searches = samples.map { question.search($0, whole) }
            measured.append(try await self.measure(question.name, searches))
            guard let busiest = question.busiest else { continue }
            for (name, value) in [("the busiest", busiest), ("unknown", Self.unknown)] {
                let repeated = Array(repeating: question.search(value: value, whole), count: Self.repeats)
                measured.append(try await self.measure("\(question.name), \(name)", repeated))
            }
        }
        return measured
    }

    private func measure(_ name: String, _ searches: [TraceQuery]) async throws -> MeasuredSearch {
        var timings = Timings()
        var most = 0
        for search in searches {
            let found = try await timings.measure { try await self.world.operators.query(search.statement) }
            most = max(most, found.count)
        }
        guard let search = searches.first else { throw LabFailure("nothing to search for") }
        let plan = try await TracePlan(of: search, in: self.world)
        return MeasuredSearch(name: name, timings: timings, most: most, plan: plan)
    }

    /// Receptions at times drawn evenly, the earliest first.
    private func samples() async throws -> [TraceSample] {
        let result = try await self.world.admin.query(
            Statement(
                """
                WITH ends AS (SELECT min(at) AS first, max(at) AS last FROM relay.trace), drawn AS MATERIALIZED (
                    SELECT first + (last - first) * random() AS moment FROM ends, generate_series(1, $1))
                SELECT r.sender, r.recipient, r.domain, r.client, r.message_id_field, r.message_id::text, r.at
                FROM drawn, LATERAL (
                    SELECT t.sender, split_part(t.recipients, ' ', 1) AS recipient, t.domain, t.client, t.message_id_field,
                        t.message_id, t.at
                    FROM relay.trace t WHERE t.kind = 'RECEIVE' AND t.at >= drawn.moment
                    ORDER BY t.at LIMIT 1) AS r
                ORDER BY r.at
                """, Int64(self.searches)))
        return try result.rows.map { row in
            TraceSample(
                sender: try row.get(0), recipient: try row.get(1), domain: try row.get(2), client: try row.get(3),
                messageIDField: try row.get(4), id: try row.get(5),
                at: try row.get(6, as: PostgresTimestamp.self).microseconds)
        }
    }
}
