import LabDatabase
import LabRelay
import LabSupport
import PostgresDriver
import QueueStore

/// What was there at one moment.
struct SteadySample: Sendable {
    let time: Duration
    let acknowledged: Int
    /// Bytes of each table, index and TOAST table.
    let sizes: [String: Int]
    /// Dead rows of each table, as the server counts them.
    let dead: [String: Int]
    /// Bytes of WAL written so far.
    let wal: Int
    let summary: QueueSummary
    /// Bytes in RAM.
    let relayd: Int
    let postgres: Int
    /// How many claims took at most so many seconds, so far.
    let claims: [Double: Double]

    var line: String {
        "\(Int(self.time.seconds)) s: \(self.acknowledged) taken, ready \(self.summary.ready.entries), "
            + "tables \(self.sizes.values.reduce(0, +) >> 20) MiB, relayd \(self.relayd >> 20) MiB, "
            + "PostgreSQL \(self.postgres >> 20) MiB"
    }
}

/// Looks at a relay and its database.
struct SteadySampler {
    private let lab: LabRelay
    private let relayd: Int32
    private let postgres: Int32

    init(lab: LabRelay) throws {
        guard let relayd = lab.relayd.processIdentifier, let postgres = lab.postgres.processIdentifier else {
            throw LabFailure("relayd or its PostgreSQL does not run")
        }
        self.lab = lab
        self.relayd = relayd
        self.postgres = postgres
    }

    func look(at time: Duration, acknowledged: Int) async throws -> SteadySample {
        let results = try await self.lab.store.pool.pipeline([Self.sizes, Self.dead, Self.wal])
        return SteadySample(
            time: time, acknowledged: acknowledged, sizes: try Self.table(results[0]), dead: try Self.table(results[1]),
            wal: Int(try results[2].single().get(0, as: Int64.self)), summary: try await self.lab.queueSummary(),
            relayd: try ProcessMemory.resident(of: self.relayd), postgres: ProcessTree.memory(of: self.postgres),
            claims: try await self.claims())
    }

    private static let sizes = Statement(
        """
        SELECT c.relname::text, pg_relation_size(c.oid) FROM pg_class c
        WHERE c.relnamespace = 'relay'::regnamespace AND c.relkind IN ('r', 'i')
        UNION ALL
        SELECT c.relname || ' (TOAST)', pg_total_relation_size(c.reltoastrelid) FROM pg_class c
        WHERE c.relnamespace = 'relay'::regnamespace AND c.reltoastrelid <> 0
        """)

    private static let dead = Statement(
        "SELECT relname::text, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'relay'")

    private static let wal = Statement("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::int8")

    private static func table(_ result: QueryResult) throws -> [String: Int] {
        var table: [String: Int] = [:]
        for row in result.rows { table[try row.get(0, as: String.self)] = Int(try row.get(1, as: Int64.self)) }
        return table
    }

    /// The buckets of the node's own histogram.
    private func claims() async throws -> [Double: Double] {
        var buckets: [Double: Double] = [:]
        let prefix = "relayd_queue_operation_duration_seconds_bucket{"
        for line in try await self.lab.relayd.metrics().split(separator: "\n") {
            guard line.hasPrefix(prefix), line.contains("op=\"claim\""),
                let edge = line.split(separator: "le=\"").last?.split(separator: "\"").first,
                let count = line.split(separator: " ").last.flatMap({ Double($0) })
            else { continue }
            buckets[edge == "+Inf" ? .infinity : Double(edge) ?? .infinity] = count
        }
        return buckets
    }
}
