import LabDatabase
import PostgresDriver
import QueueStore

/// A trace of many messages, and an operator who may search it.
///
/// Its days are those to come: today's partition holds all that was before.
final class TraceWorld: Sendable {
    /// Has all rights.
    let admin: PostgresPool
    /// As `relayctl` has it.
    let operators: PostgresPool
    private let messages: Int
    private let days: Int

    /// Messages of one INSERT.
    private static let batch = 20_000

    init(_ server: PrivatePostgres, rows: Int, days: Int) async throws {
        let database = PrivateDatabase.first(of: server)
        try await database.makeQueue()
        self.admin = database.pool(size: 2) { $0.statementTimeout = .seconds(3600) }
        self.messages = rows * 5 / 11
        self.days = days
        self.operators = database.pool(QueueAdministration.poolSettings, as: QueueLogin.person)
    }

    func shutDown() {
        self.operators.shutDown()
        self.admin.shutDown()
    }

    /// Writes all rows, the earliest first, as nodes would have. Then each partition is looked at as by autovacuum.
    func fill() async throws {
        try await self.admin.script(Self.preparation)
        try await self.admin.query(Statement("SELECT public.make_days($1)", Int64(self.days)))
        for first in stride(from: 0, to: self.messages, by: Self.batch) {
            let count = min(Self.batch, self.messages - first)
            try await self.admin.query(
                Statement(Self.fillSQL, Int64(first), Int64(count), Int64(self.messages), Int64(self.days)))
            if (first / Self.batch).isMultiple(of: 20) { Terminal.tell("\(first) of \(self.messages) messages") }
        }
        for part in try await self.partitions() { try await self.admin.script("VACUUM (ANALYZE) relay.\(part)") }
    }

    private func partitions() async throws -> [String] { try await self.names("true") }

    /// The partitions of which it matters how they are read: over 1 MiB. Smaller ones are best read whole.
    func largePartitions() async throws -> Set<String> {
        Set(try await self.names("pg_relation_size(c.oid) > 1048576"))
    }

    private func names(_ condition: String) async throws -> [String] {
        let result = try await self.admin.query(
            Statement(
                """
                SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'relay.trace'::regclass AND \(condition)
                """))
        return try result.rows.map { try $0.get(0) }
    }

    /// The index of the whole trace, by that of a partition.
    func parentIndices() async throws -> [String: String] {
        let result = try await self.admin.query(
            Statement(
                """
                SELECT c.relname::text, p.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                JOIN pg_class p ON p.oid = i.inhparent WHERE p.relkind = 'I'
                """))
        return Dictionary(uniqueKeysWithValues: try result.rows.map { (try $0.get(0), try $0.get(1)) })
    }

    /// What the rows and each index take up.
    func sizes() async throws -> [String] {
        let result = try await self.admin.query(Statement(Self.sizeSQL))
        let rows = try await self.admin.query(Statement("SELECT count(*) FROM relay.trace")).single().get(
            0, as: Int64.self)
        return ["\(rows) rows", "MiB      B a row"]
            + (try result.rows.map { row in
                let bytes = try row.get(1, as: Int64.self)
                let size = "\(bytes >> 20)"
                let share = "\(bytes / max(1, rows))"
                return [(size, 9), (share, 9), (try row.get(0, as: String.self), 0)].map { text, width in
                    text + String(repeating: " ", count: max(0, width - text.count))
                }.joined()
            })
    }

    private static let sizeSQL = """
        WITH parts AS (SELECT inhrelid AS part FROM pg_inherits WHERE inhparent = 'relay.trace'::regclass)
        SELECT 'all'::text AS what, sum(pg_total_relation_size(part))::int8 AS bytes FROM parts
        UNION ALL SELECT 'rows', sum(pg_table_size(part))::int8 FROM parts
        UNION ALL SELECT p.relname::text, sum(pg_relation_size(i.inhrelid))::int8 FROM pg_inherits i
            JOIN pg_class p ON p.oid = i.inhparent JOIN pg_index x ON x.indexrelid = p.oid
            WHERE x.indrelid = 'relay.trace'::regclass GROUP BY p.relname
        ORDER BY bytes DESC
        """

    /// `part(message, seed)` is an even, repeatable draw from 0 to 1. Days are made as `relay.keep_trace` makes them.
    private static let preparation = """
        CREATE FUNCTION public.part(message int8, seed int8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $f$
            SELECT (hashint8extended(message, seed) & 1073741823)::float8 / 1073741824
        $f$;
        CREATE FUNCTION public.first_day() RETURNS timestamp LANGUAGE sql AS $f$
            SELECT date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day'
        $f$;
        CREATE FUNCTION public.make_days(days int8) RETURNS void LANGUAGE plpgsql AS $f$
        DECLARE day timestamp;
        DECLARE part name;
        BEGIN
            FOR day IN SELECT generate_series(public.first_day(), public.first_day() + days * interval '1 day',
                interval '1 day')
            LOOP
                part := to_char(day, '"trace_"YYYYMMDD');
                CONTINUE WHEN to_regclass('relay.' || part) IS NOT NULL;
                EXECUTE format('CREATE TABLE relay.%I (LIKE relay.trace INCLUDING DEFAULTS) WITH
                    (autovacuum_vacuum_insert_scale_factor = 0.1)', part);
                EXECUTE format('ALTER TABLE relay.trace ATTACH PARTITION relay.%I FOR VALUES FROM (%L) TO (%L)',
                    part, day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC');
            END LOOP;
        END $f$;
        """

    /// A few senders, domains, recipients and clients have much of the mail, and most have little. One message in ten has up to
    /// five recipients, and one in five is put off once.
    private static let fillSQL = """
        WITH drawn AS (
            SELECT m, (public.first_day() + $4 * interval '1 day' / $3 * m) AT TIME ZONE 'UTC' AS at,
                floor(500000 * public.part(m, 1) ^ 3)::int8 AS sender, floor(20000 * public.part(m, 2) ^ 4)::int8 AS domain,
                floor(5000 * public.part(m, 3) ^ 4)::int8 AS client,
                CASE WHEN m % 10 = 0 THEN 1 + m / 10 % 5 ELSE 1 END AS recipients
            FROM generate_series($1::int8, $1::int8 + $2 - 1) AS m
        ), messages AS (
            SELECT m, at, 'domain-' || domain || '.example' AS domain, abs(hashint8(domain)) % 64 AS shard, client,
                (lpad(to_hex((extract(epoch FROM at) * 1000)::int8), 12, '0') || '7' || lpad(to_hex(m % 4096), 3, '0')
                    || '8' || substr(md5(m::text), 1, 15))::uuid AS id,
                'sender-' || sender || '@customer-' || sender % 2000 || '.example' AS sender,
                (SELECT string_agg('user-' || floor(1000 * public.part(m * 5 + r, 4) ^ 2)::int8 || '@domain-' || domain
                    || '.example', ' ') FROM generate_series(1, recipients) AS r) AS recipients,
                '198.18.' || client / 256 || '.' || client % 256 AS address,
                '<' || md5(m::text) || '@customer-' || sender % 2000 || '.example>' AS field
            FROM drawn
        ), received AS (
            INSERT INTO relay.trace (shard, message_id, at, kind, node, domain, recipients, attempt, reply, sender, client,
                hello, username, admitted_by, size, message_id_field)
            SELECT shard, id, at, 'RECEIVE', 'mx1.relay.example', domain, recipients, 0,
                'from [' || address || '] (client-' || client || '.example)', sender, address,
                'client-' || client || '.example', CASE WHEN m % 3 = 0 THEN 'user-' || client END,
                CASE WHEN m % 3 = 0 THEN 'user' ELSE 'network 198.18.0.0/15' END,
                1000 + floor(100000 * public.part(m, 5) ^ 4)::int8, field
            FROM messages ORDER BY m
        ), deferred AS (
            INSERT INTO relay.trace (shard, message_id, at, kind, node, domain, recipients, attempt, mx_host, address,
                dnssec, requirement, tls_version, cipher, reason, status, reply, auth, duration_us, next_attempt_at)
            SELECT shard, id, at + interval '1 second', 'DEFER', 'mx1.relay.example', domain, recipients, 1, 'mx.' || domain,
                '203.0.113.' || m % 250, 'secure', 'authenticate', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', 'rejected', '4.7.1',
                '450 4.7.1 <' || recipients || '>: greylisted, try again', 'dane', 153000, at + interval '15 minutes'
            FROM messages WHERE m % 5 = 0 ORDER BY m
        )
        INSERT INTO relay.trace (shard, message_id, at, kind, node, domain, recipients, attempt, mx_host, address, dnssec,
            requirement, tls_version, cipher, tls_match, status, reply, auth, duration_us)
        SELECT shard, id, at + CASE WHEN m % 5 = 0 THEN interval '15 minutes' ELSE interval '1 second' END, 'SEND',
            'mx1.relay.example', domain, recipients, CASE WHEN m % 5 = 0 THEN 2 ELSE 1 END, 'mx.' || domain,
            '203.0.113.' || m % 250, 'secure', 'authenticate', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', '3 1 1', '2.0.0',
            '250 2.0.0 Ok: queued as ' || substr(md5(m::text), 1, 12), 'dane', 153000
        FROM messages ORDER BY m
        """
}
