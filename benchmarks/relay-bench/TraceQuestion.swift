import PostgresDriver

/// One message that is searched for.
struct TraceSample: Sendable {
    let sender: String
    let recipient: String
    let domain: String
    let client: String
    let messageIDField: String
    let id: String
    /// Microseconds since 1970.
    let at: Int64
}

/// From when to when, in microseconds since 1970.
struct Span: Sendable {
    let from: Int64
    let to: Int64
}

/// One kind of search.
struct TraceQuestion: Sendable {
    let name: String
    /// With the value as `$1`.
    private let condition: String
    private let value: @Sendable (TraceSample) -> String
    /// How much around the sample is asked for; all where it is `nil`.
    private var around: Int64?
    /// All rows of one message are asked for, and not the newest messages.
    private var isOfMessage = false
    /// The index gives rows in no order. Beside `LIMIT` the planner prefers to read by time, and hopes to find a
    /// hundred soon. For a recipient with few messages it reads the whole trace that way. `OFFSET 0` keeps the limit
    /// from it.
    private var isUnordered = false
    /// The value that `TraceWorld` gives to most messages.
    var busiest: String?

    static let all: [Self] = [
        Self(
            name: "sender", condition: "lower(sender) = lower($1)", value: \.sender,
            busiest: "Sender-0@customer-0.example"),
        Self(name: "sender, within an hour", condition: "lower(sender) = lower($1)", value: \.sender, around: hour),
        Self(
            name: "recipient", condition: "string_to_array(lower(recipients), ' ') @> ARRAY[lower($1)]",
            value: \.recipient, isUnordered: true, busiest: "User-0@domain-0.example"),
        Self(
            name: "recipient, within an hour", condition: "string_to_array(lower(recipients), ' ') @> ARRAY[lower($1)]",
            value: \.recipient, around: hour, isUnordered: true),
        Self(name: "recipient domain", condition: "domain = $1", value: \.domain, busiest: "domain-0.example"),
        Self(name: "client", condition: "client = $1", value: \.client, busiest: "198.18.0.0"),
        Self(name: "Message-ID", condition: "message_id_field = $1", value: \.messageIDField),
        Self(name: "queue id", condition: "message_id = $1::uuid", value: \.id, isOfMessage: true),
        Self(name: "an hour", condition: "$1::text IS NOT NULL", value: \.sender, around: hour),
        Self(name: "the newest", condition: "$1::text IS NOT NULL", value: \.sender),
    ]

    private static let hour: Int64 = 3_600_000_000

    func search(_ sample: TraceSample, _ whole: Span) -> TraceQuery {
        let span = self.around.map { Span(from: sample.at - $0 / 2, to: sample.at + $0 / 2) } ?? whole
        return self.search(value: self.value(sample), span)
    }

    func search(value: String, _ span: Span) -> TraceQuery {
        guard !self.isOfMessage else {
            return TraceQuery(
                sql: "SELECT * FROM relay.trace WHERE \(self.condition) ORDER BY at, seq LIMIT 1000",
                parameters: [value])
        }
        let found = """
            SELECT at, message_id, sender, recipients, domain, client, size FROM relay.trace
            WHERE kind = 'RECEIVE' AND \(self.condition) AND at >= $2 AND at < $3
            """
        return TraceQuery(
            sql: "SELECT * FROM (\(found)\(self.isUnordered ? " OFFSET 0" : "")) AS f ORDER BY at DESC LIMIT 100",
            parameters: [
                value, PostgresTimestamp(microseconds: span.from), PostgresTimestamp(microseconds: span.to),
            ])
    }
}

/// One search, to be run or to be explained.
struct TraceQuery: Sendable {
    let sql: String
    let parameters: [any PostgresEncodable]

    var statement: Statement { Statement(self.sql, parameters: self.parameters) }

    var explanation: Statement { Statement("EXPLAIN (COSTS OFF) \(self.sql)", parameters: self.parameters) }
}
