public import MailModel
import PostgresDriver

/// What an operator has nodes look up anew.
public enum DNSFlush: Hashable, Sendable {
    /// The answers of a name, and those of the service names below it.
    case name(DomainName)
    /// The answers of a name and of all below it.
    case zone(DomainName)
    /// All that leads to the hosts of these recipients' domain.
    case route(DomainName)
    /// All answers.
    case everything
}

/// What operators have asked for since an earlier look.
public struct DNSFlushes: Hashable, Sendable {
    /// Each once, but for those that are older than the longest time.
    public let flushes: Set<DNSFlush>
    /// The number of the last, for the next look.
    public let serial: Int64
}

extension QueueStore {
    /// The most rows of one look; of more, everything is meant.
    private static let flushesAtOnce = 1000

    /// The number of the last row of `relay.dns_flush`: its index gives it by one look-up.
    static let flushSerial = Statement("SELECT coalesce(max(id), 0) FROM relay.dns_flush")

    /// What operators have had looked up anew since the look that gave `serial`; without one, in the last minute.
    public func dnsFlushes(since serial: Int64?) async throws(QueueStoreError) -> DNSFlushes {
        let results = try await self.pool.idempotently([
            // First, so that what the other does not show is behind this number.
            Self.flushSerial,
            Statement(
                """
                SELECT id, scope, name FROM relay.dns_flush
                WHERE id > coalesce($1, 0) AND ($1::int8 IS NOT NULL OR at > clock_timestamp() - interval '1 minute')
                ORDER BY id DESC LIMIT $2
                """, serial, Int64(Self.flushesAtOnce + 1)),
        ])
        var serial: Int64 = try Self.only(results[0]).value(0)
        var flushes: Set<DNSFlush> = []
        for row in results[1].rows {
            serial = max(serial, try row.value(0))
            flushes.insert(Self.flush(try row.value(1), try row.value(2)))
        }
        if results[1].count > Self.flushesAtOnce { flushes = [.everything] }
        return DNSFlushes(flushes: flushes, serial: serial)
    }

    /// A row of a later version, or of a name that cannot be one, means everything: that is never too little.
    private static func flush(_ scope: String, _ name: String) -> DNSFlush {
        guard let name = DomainName(name) else { return .everything }
        switch scope {
        case "name": return .name(name)
        case "zone": return .zone(name)
        case "route": return .route(name)
        default: return .everything
        }
    }
}

extension QueueAdministration {
    /// Has all nodes look this up anew.
    ///
    /// - Parameters:
    ///   - actor: who wants it, for the record.
    ///   - reason: why, for the record.
    public func flush(
        _ flush: DNSFlush, by actor: String, because reason: String?
    ) async throws(QueueStoreError) {
        var generator = SystemRandomNumberGenerator()
        let operation = PostgresUUID(high: generator.next(), low: generator.next())
        let (scope, name) =
            switch flush {
            case .name(let name): ("name", name.text)
            case .zone(let name): ("zone", name.text)
            case .route(let name): ("route", name.text)
            case .everything: ("all", "")
            }
        try await self.pool.idempotently([Self.flush(operation, scope, [name], actor, reason)])
    }

    /// The statement by which it is recorded. It may be done again.
    static func flush(
        _ operation: PostgresUUID, _ scope: String, _ names: [String], _ actor: String, _ reason: String?
    ) -> Statement {
        Statement(
            "SELECT relay.flush_dns($1, $2, $3, $4, $5)", operation, scope, names, actor.storable, reason?.storable)
    }
}
