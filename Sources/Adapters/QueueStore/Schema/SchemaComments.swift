/// What each table and column of migration 12 is, as `COMMENT` says it to whoever looks with psql. Later migrations bring their own.
enum SchemaComments {
    private static let shard = "The shard, from hash(recipient domain); each has one owner at a time."
    private static let message = "The message; relay.message_name() writes the id as relayctl and the log do."
    private static let domain = "The recipients' domain."
    private static let destination = "Where the mail goes: a domain, for whose hosts backoff counts."
    private static let epoch = "The term of the owner that wrote this; another owner has another one."
    private static let node = "The name of a node."

    private static let entry: [(String, String)] = [
        ("shard", shard), ("message_id", message), ("domain", domain), ("destination", destination),
        ("arrived_at", "When the message was accepted."), ("attempts", "Attempts that are over."),
        ("size", "Bytes of content."), ("recipients", "Recipients that are left, with NOTIFY and ORCPT (RFC 3461)."),
        ("delay_notified", "The sender has had a report of delay, or is to have none."),
        ("last_status", "The enhanced status code of the last failure (RFC 3463)."),
        ("last_reason", "The name of the last failure, such as tlsa-invalid."),
    ]

    private static let tables: [(name: String, text: String, columns: [(String, String)])] = [
        (
            "schema_version", "The migrations that were applied.",
            [
                ("version", "The migration's number."), ("name", "Its name."), ("applied_at", "When it was applied."),
                ("least_program", "Programs that make an older schema than this must not work with it; 0 for any."),
            ]
        ),
        (
            "role_names", "How the roles are called that migrations grant; one row.",
            [
                ("queue", "Edge nodes."), ("admin", "Operators who change things."),
                ("viewer", "Those who look, and read no content."),
            ]
        ),
        (
            "shard_lease", "Who owns each shard, and until when. The number of rows is fixed when the queue is made.",
            [
                ("shard", "The shard's number, from 0."),
                ("epoch", "Counts the owners; each change of owner is one more."),
                ("owner", "The node that owns it."), ("incarnation", "The run of that node."),
                ("expires_at", "Until when, unless it is renewed."),
            ]
        ),
        (
            "node", "The nodes that were ever there.",
            [
                ("name", node), ("incarnation", "Its present run."), ("seen_at", "When it was last heard of."),
            ]
        ),
        (
            "message",
            "Messages, once for each shard that they go to. A finished one stays for a while without body, so that a repeated INSERT of it does nothing.",
            [
                ("shard", shard), ("message_id", message), ("sender", "The reverse path; empty for the null sender."),
                ("attributes", "What came with MAIL FROM, and who brought the message, as JSON."),
                ("size", "Bytes of content."), ("body", "The content up to 64 KiB; larger ones are in body_chunk."),
                ("chunks", "Rows of body_chunk."), ("remaining", "Entries without an outcome."),
                ("finished_at", "When the last entry got its outcome."),
            ]
        ),
        (
            "staged_body", "Large bodies on their way in; those that nobody touches any more are swept.",
            [
                ("shard", shard), ("message_id", message), ("touched_at", "When the last chunk came."),
            ]
        ),
        (
            "body_chunk", "The content of messages over 64 KiB.",
            [
                ("shard", shard), ("message_id", message), ("ordinal", "The chunk's place, from 0."),
                ("data", "Its bytes."),
            ]
        ),
        (
            "ready_generation", "Which partition of ready takes new entries.",
            [("one", "There is one row."), ("current", "The partition, 0 or 1.")]
        ),
        (
            "ready", "Entries, one message for one recipient domain each, that are due within the hour or being tried.",
            entry + [
                ("generation", "The partition."), ("next_attempt_at", "Not before then, unless an operator says so."),
                ("verdict", "An operator's reason to give the entry up; its owner does it."),
            ]
        ),
        (
            "deferred", "Entries that wait for longer than an hour.",
            entry + [("next_attempt_at", "Not before then, unless an operator says so.")]
        ),
        ("held", "Entries that an operator holds back.", entry + [("held_at", "Since when.")]),
        (
            "destination", "Destinations that failed as a whole, and are in backoff.",
            [
                ("shard", shard), ("destination", destination), ("blocked_until", "Until then."),
                ("failures", "Failures in a row."), ("reason", "The name of the failure, such as connection-timeout."),
                ("failing_since", "The first of these."),
                ("failure_class", "security or general: which schedule counts."),
                ("status", "The enhanced status code."), ("explanation", "What happened, in words."),
                ("reply", "The host's reply."), ("host", "The host."),
            ]
        ),
        (
            "open_attempt", "Attempts that are on record without an outcome: the message may have been delivered.",
            [
                ("shard", shard), ("message_id", message), ("domain", domain), ("node", node), ("epoch", epoch),
                ("attempt", "Which attempt, from 1."), ("opened_at", "Since when."),
            ]
        ),
        (
            "trace", "The life of messages, a row for each event; a partition for each day (UTC).",
            [
                ("shard", shard), ("message_id", message), ("seq", "The order of rows of one moment."),
                ("at", "When it happened."),
                ("kind", "RECEIVE, DEFER, SEND, TRANSFER, FAIL, HOLD, RELEASE, RETRY or DROP."), ("node", node),
                ("domain", domain), ("recipients", "The addresses concerned, with blanks between them, up to 4 KiB."),
                ("attempt", "Which attempt, from 1; 0 for the reception."), ("mx_host", "The host."),
                ("address", "Its address."), ("dnssec", "What DNSSEC says of MX, address and TLSA."),
                ("requirement", "What the host had to prove: authenticate, encrypt, opportunistic or unavailable."),
                ("tls_version", "The version of TLS."), ("cipher", "The cipher suite."),
                ("tls_match", "The TLSA record that matched."),
                ("reason", "The name of the failure, such as tlsa-invalid."),
                ("status", "The enhanced status code."), ("reply", "The host's reply, or our own words."),
                ("auth", "How the host was authenticated: dane, tls or none."),
                ("duration_us", "Microseconds from the beginning."), ("next_attempt_at", "When it is tried again."),
                ("tls_failure", "Why TLS that the host offered was given up."),
                ("sender", "Of a reception: the reverse path; empty for the null sender."),
                ("client", "Of a reception: the client's address."), ("hello", "Of a reception: its name in EHLO."),
                ("username", "Of a reception: its user after AUTH."),
                ("admitted_by", "Of a reception: the rule that let the client in."),
                ("size", "Of a reception: bytes of content."),
                ("message_id_field", "Of a reception: the message's own Message-ID field."),
            ]
        ),
        (
            "queue_counter", "Running sums of entries by table; the sum over all slots counts.",
            [
                ("slot", "Writers use different ones."), ("state", "The table: ready, deferred or held."),
                ("messages", "Entries."), ("bytes", "Bytes of content."),
            ]
        ),
        (
            "queue_waiting", "Running sums of the entries in ready that wait, by the time at which they are due.",
            [
                ("slot", "Writers use different ones."), ("due", "The end of ten seconds."), ("messages", "Entries."),
                ("bytes", "Bytes of content."), ("oldest", "When the oldest of these arrived."),
            ]
        ),
        (
            "destination_waiting",
            "What is due, and waits for a destination in backoff, as its owner counted last.",
            [
                ("shard", shard), ("destination", destination), ("messages", "Entries."),
                ("bytes", "Bytes of content."),
                ("oldest", "When the oldest of these arrived."),
            ]
        ),
        (
            "under_way", "Attempts that last, as their nodes say.",
            [
                ("shard", shard), ("message_id", message), ("domain", domain), ("node", node), ("epoch", epoch),
                ("attempt", "Which attempt, from 1."), ("stage", "How far it has come."), ("host", "The host."),
                ("began_at", "Since when."),
            ]
        ),
        (
            "resting", "Destinations that wait for something of ours, as their nodes say.",
            [
                ("shard", shard), ("destination", destination), ("node", node), ("epoch", epoch),
                ("reason", "For what, such as resolver."), ("began_at", "Since when."),
            ]
        ),
        (
            "administration", "What operators did to the queue.",
            [
                ("operation", "Its id."), ("began_at", "When it began."),
                ("action", "hold, release, retry, fail or drop."), ("actor", "Who, as relayctl was told."),
                ("role", "By which login."), ("selection", "To which entries."), ("reason", "Why."),
                ("batches", "Transactions that are done."), ("affected", "Entries that were changed."),
                ("in_delivery", "Entries that were not changed, since they were being tried."),
                ("finished_at", "When it ended."),
            ]
        ),
        (
            "dns_flush", "Names that operators have looked up anew, in the last hour.",
            [
                ("id", "Nodes read on from the last that they have seen."), ("operation", "Its id."), ("at", "When."),
                ("scope", "What the name is: name, zone, route or all."), ("name", "The name."),
                ("actor", "Who, as relayctl was told."), ("role", "By which login."), ("reason", "Why."),
            ]
        ),
        ("queue_overview", "All entries of the queue, with their state as relayctl queue list tells it.", []),
        ("recent_attempts", "Attempts of the last 24 hours, the latest first.", []),
    ]

    static let sql = Self.tables.map { table in
        let kind = table.columns.isEmpty ? "VIEW" : "TABLE"
        let comments =
            ["COMMENT ON \(kind) relay.\(table.name) IS '\(Self.quoted(table.text))';"]
            + table.columns.map { "COMMENT ON COLUMN relay.\(table.name).\($0) IS '\(Self.quoted($1))';" }
        return comments.joined(separator: "\n")
    }.joined(separator: "\n")

    private static func quoted(_ text: String) -> String { text.replacing("'", with: "''") }
}
