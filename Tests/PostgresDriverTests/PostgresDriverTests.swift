import LabDatabase
import Logging
import PostgresDriver
import Testing

/// A pool on the shared server's own database, or on another server.
func makePool(
    _ server: PrivatePostgres, size: Int = 1, _ change: (inout PoolSettings) -> Void = { _ in }
) -> PostgresPool {
    var settings = PoolSettings(connectionString: server.connectionString())
    settings.size = size
    change(&settings)
    return PostgresPool(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

/// Runs a body with a pool and shuts it down.
func withPool(
    size: Int = 1, _ change: (inout PoolSettings) -> Void = { _ in }, _ body: (PostgresPool) async throws -> Void
) async throws {
    let pool = makePool(try await .shared(), size: size, change)
    defer { pool.shutDown() }
    try await body(pool)
}

/// The error that an operation throws, or nil.
func failure(_ body: () async throws -> Void) async -> PostgresError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}

@Suite("Values and rows", .timeLimit(.minutes(3)))
struct ValueTests {
    @Test("Every type of parameter comes back as it went")
    func roundTrip() async throws {
        try await withPool { pool in
            let row = try await pool.query(
                Statement(
                    "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9", Int16(-2), Int32.min, Int64.max, true, "grüße 'x'; --",
                    PostgresBytes([0, 255, 10]), PostgresTimestamp(microseconds: 1_700_000_000_123_456),
                    PostgresUUID(high: 1, low: .max), Int64?.none)
            ).single()
            #expect(try row.get(0, as: Int16.self) == -2)
            #expect(try row.get(1, as: Int32.self) == .min)
            #expect(try row.get(2, as: Int64.self) == .max)
            #expect(try row.get(3, as: Bool.self))
            #expect(try row.get(4, as: String.self) == "grüße 'x'; --")
            #expect(try row.get(5, as: PostgresBytes.self).bytes == [0, 255, 10])
            #expect(try row.get(6, as: PostgresTimestamp.self).microseconds == 1_700_000_000_123_456)
            #expect(try row.get(7, as: PostgresUUID.self) == PostgresUUID(high: 1, low: .max))
            #expect(try row.get(8, as: Int64?.self) == nil)
        }
    }

    @Test("A timestamp means to the server what it means to us")
    func timestamp() async throws {
        try await withPool { pool in
            let row = try await pool.query(
                Statement(
                    "SELECT $1 = '2023-11-14T22:13:20Z'::timestamptz",
                    PostgresTimestamp(microseconds: 1_700_000_000_000_000))
            ).single()
            #expect(try row.get(0, as: Bool.self))
        }
    }

    @Test("Arrays, with NULL and empty values in them, unnest into rows")
    func arrays() async throws {
        try await withPool { pool in
            let none: [Int64] = []
            let results = try await pool.pipeline([
                Statement(
                    "SELECT * FROM unnest($1, $2, $3)", [Int64(1), 2, 3], ["a", nil, ""],
                    [PostgresBytes([1]), PostgresBytes([]), nil]),
                Statement("SELECT cardinality($1)", none),
            ])
            let rows = results[0].rows
            #expect(try rows.map { try $0.get(0, as: Int64.self) } == [1, 2, 3])
            #expect(try rows.map { try $0.get(1, as: String?.self) } == ["a", nil, ""])
            #expect(try rows.map { try $0.get(2, as: PostgresBytes?.self)?.bytes } == [[1], [], nil])
            #expect(try results[1].single().get(0, as: Int32.self) == 0)
        }
    }

    @Test("A column of another type, an unexpected NULL or a column too many is an error, not a trap")
    func wrongType() async throws {
        try await withPool { pool in
            let row = try await pool.query(Statement("SELECT 'text', NULL::int8")).single()
            #expect(throws: PostgresError.self) { try row.get(0, as: Int32.self) }
            #expect(throws: PostgresError.self) { try row.get(1, as: Int64.self) }
            #expect(throws: PostgresError.self) { try row.get(2, as: Int64.self) }
        }
    }
}

@Suite("Pipelines", .timeLimit(.minutes(3)))
struct PipelineTests {
    @Test("A pipeline is one transaction: an error in the last statement undoes the first")
    func atomic() async throws {
        try await withPool { pool in
            try await pool.script("CREATE TEMPORARY TABLE t (n int8 PRIMARY KEY)")
            let error = await failure {
                try await pool.pipeline([
                    Statement("INSERT INTO t VALUES ($1)", Int64(1)), Statement("INSERT INTO t VALUES ($1)", Int64(1)),
                ])
            }
            #expect(error?.code == .uniqueViolation)
            let left = try await pool.query(Statement("SELECT FROM t"))
            #expect(left.count == 0)
        }
    }

    @Test("After an error, a statement first prepared in the failed pipeline is prepared again")
    func preparedAfterError() async throws {
        try await withPool { pool in
            _ = await failure {
                try await pool.pipeline([Statement("SELECT 1/$1::int4", Int32(0)), Statement("SELECT 42::int8")])
            }
            let row = try await pool.query(Statement("SELECT 42::int8")).single()
            #expect(try row.get(0, as: Int64.self) == 42)
        }
    }

    @Test("Megabytes in both directions at once do not block each other")
    func large() async throws {
        try await withPool { pool in
            let blob = PostgresBytes([UInt8](repeating: 7, count: 3_000_000))
            let results = try await pool.pipeline((0..<8).map { _ in Statement("SELECT $1", blob) })
            #expect(try results.allSatisfy { try $0.single().get(0, as: PostgresBytes.self) == blob })
        }
    }

    @Test(
        "SQLSTATE decides the class of an error",
        arguments: [
            ("40001", PostgresError.Code.serializationFailure), ("40P01", .serializationFailure),
            ("25006", .readOnlyServer), ("53100", .diskFull), ("53200", .resources), ("23502", .constraintViolation),
            ("RL001", .server),
        ])
    func classes(_ state: String, _ code: PostgresError.Code) async throws {
        try await withPool { pool in
            let error = await failure {
                try await pool.script("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END $$")
            }
            #expect(error?.code == code)
            #expect(error?.sqlState == state)
        }
    }

    @Test("A session whose caller forgot a COMMIT is not used again")
    func openTransaction() async throws {
        try await withPool { pool in
            let before = try await pool.backend()
            try await pool.script("BEGIN")
            let after = try await pool.backend()
            #expect(after != before)
        }
    }
}

extension PostgresPool {
    /// The process id of the server's end of a connection.
    func backend() async throws -> Int32 {
        try await self.query(Statement("SELECT pg_backend_pid()")).single().get(0)
    }
}
