public import ClusterModel
public import MailModel
public import PostgresDriver

/// A replica's term as the one that leads.
public struct LeaderTerm: Hashable, Sendable {
    /// Counts the terms; each step of the leader names its own.
    public let epoch: Epoch
}

/// Who leads, as it was read: each renewal changes it.
public struct LeaderSighting: Hashable, Sendable {
    /// The replica.
    public let replica: String
    /// The term.
    public let epoch: Epoch
    /// When its lease ends, by the database's clock.
    public let expiresAt: Timestamp
    /// Whether it has ended already, by that clock.
    public let isOver: Bool
}

extension ControlStore {
    /// Takes the lead, or keeps it. One replica leads at a time, by a lease on the database's clock; each change of leader has
    /// another epoch.
    ///
    /// Whoever takes over waits for what the former leader has begun, and fails all that it begins later.
    ///
    /// - Parameters:
    ///   - incarnation: tells this run of the replica from every other.
    ///   - time: how long the lease lasts, unless it is renewed by the next call.
    ///   - silent: a leader that has not renewed for its lease's whole life by a clock that nobody sets. It is replaced if it still
    ///     looks like that, whatever the database's clock says.
    /// - Returns: the term; `nil` while another one leads.
    public func lead(
        _ replica: String, incarnation: PostgresUUID, for time: Duration, replacing silent: LeaderSighting? = nil
    ) async throws(ControlStoreError) -> LeaderTerm? {
        // When its answer was lost, repeating it finds the lead taken by ourselves, and keeps it.
        let found = try await self.rows(
            """
            UPDATE control.leadership l SET epoch = CASE WHEN l.incarnation = $2 THEN l.epoch ELSE l.epoch + 1 END,
                replica = $1, incarnation = $2, expires_at = clock_timestamp() + $3 * interval '1 microsecond'
            WHERE l.incarnation = $2 OR l.expires_at IS NULL OR l.expires_at <= clock_timestamp()
                OR (l.epoch = $4 AND l.expires_at = $5)
            RETURNING l.epoch
            """, replica.storable, incarnation, time.wholeMicroseconds, silent?.epoch.rawValue, silent?.expiresAt.stored
        )
        guard let row = found.rows.first else { return nil }
        return LeaderTerm(epoch: Epoch(rawValue: try row.value(0)))
    }

    /// Who leads, or led last; `nil` where nobody does.
    public func leader() async throws(ControlStoreError) -> LeaderSighting? {
        let found = try await self.rows(
            """
            SELECT replica, epoch, expires_at, expires_at <= clock_timestamp() FROM control.leadership
            WHERE expires_at IS NOT NULL
            """)
        guard let row = found.rows.first else { return nil }
        return LeaderSighting(
            replica: try row.value(0), epoch: Epoch(rawValue: try row.value(1)), expiresAt: try row.moment(2),
            isOver: try row.value(3))
    }

    /// Gives the lead back, so that others need not wait for it to run out. An old term changes nothing.
    public func resign(_ term: LeaderTerm) async throws(ControlStoreError) {
        _ = try await self.rows(
            """
            UPDATE control.leadership SET replica = NULL, incarnation = NULL, expires_at = NULL WHERE epoch = $1
            """, term.epoch.rawValue)
    }
}
