package import ClusterModel
public import MailModel
import PostgresDriver

extension QueueAdministration {
    /// The next entries of the queue that are selected, in the order of their keys.
    ///
    /// One call looks at no more than `span` entries, so a page may be short, or empty, before the end. Go on while
    /// there is a `next`. An entry that moves meanwhile from one table to another may be missed or come twice.
    ///
    /// - Parameter isDetailed: also read what the trace says of each entry's last attempt.
    public func page(
        of selection: QueueSelection, after cursor: QueueCursor? = nil, span: Int = 1000, isDetailed: Bool = false,
        order: QueueOrder = .key
    ) async throws(QueueStoreError) -> QueuePage {
        try await self.page(
            QueuePageStatement(
                selection, in: selection.places, span: span, isDetailed: isDetailed, order: order), after: cursor)
    }

    func page(_ page: QueuePageStatement, after cursor: QueueCursor?) async throws(QueueStoreError) -> QueuePage {
        let results = try await self.pool.idempotently([page.statement(after: cursor ?? .start)])
        var entries: [QueueListing] = []
        var next: QueueCursor?
        for row in results[0].rows {
            let seen: Int64 = try row.value(3)
            if seen == Int64(page.span) {
                next = QueueCursor(
                    shard: try row.value(0), message: MessageID(try row.value(1)), domain: try row.value(2))
            }
            if let shard: Int16 = try row.value(4) { entries.append(try QueueListing(row, shard: shard)) }
        }
        return QueuePage(entries: entries, next: next)
    }

    /// The life of a message, the earliest event first; bounded.
    public func trace(of message: MessageID) async throws(QueueStoreError) -> [TraceEvent] {
        try await TraceRows.trace(of: message, limit: 1000, in: self.pool)
    }

    /// What is stored of a message, whether it still waits or was finished a while ago; `nil` when nothing is.
    public func message(_ id: MessageID) async throws(QueueStoreError) -> StoredMessage? {
        // Each shard may have a copy; of several, one that is not finished speaks.
        let results = try await self.pool.idempotently([
            Statement(
                """
                SELECT m.shard, m.sender, m.attributes, m.size, m.finished_at
                FROM relay.shard_lease s JOIN relay.message m ON m.shard = s.shard
                WHERE m.message_id = $1 ORDER BY m.finished_at DESC NULLS FIRST LIMIT 1
                """, id.uuid)
        ])
        guard let row = results[0].rows.first else { return nil }
        return StoredMessage(
            id: id, shard: Shard(rawValue: try row.value(0)), sender: try row.value(1),
            attributes: try StoredJSON.decode(try row.value(2), as: MessageAttributes.self),
            size: Int(try row.value(3, as: Int64.self)),
            finishedAt: try row.value(4, as: PostgresTimestamp?.self).map { Timestamp($0) })
    }

    /// A reader of a message's content, which is there until the message is finished.
    public func content(of message: StoredMessage) -> BodyReader {
        BodyReader(pool: self.pool, shard: message.shard, message: message.id)
    }
}

/// A message, as an operator sees it.
public struct StoredMessage: Hashable, Sendable {
    /// Which one.
    public let id: MessageID
    /// Where it, or a copy of it, is stored.
    package let shard: Shard
    /// The reverse path; empty for the null sender.
    public let sender: String
    /// What came with MAIL FROM, and who brought it.
    public let attributes: MessageAttributes
    /// The size of the content in bytes.
    public let size: Int
    /// When its last entry was done with; from then on there is no content.
    public let finishedAt: Timestamp?

    package init(
        id: MessageID, shard: Shard, sender: String, attributes: MessageAttributes, size: Int, finishedAt: Timestamp?
    ) {
        self.id = id
        self.shard = shard
        self.sender = sender
        self.attributes = attributes
        self.size = size
        self.finishedAt = finishedAt
    }
}

extension QueueListing {
    fileprivate init(_ row: QueryResult.Row, shard: Int16) throws(QueueStoreError) {
        let (named, told): (String, String) = (try row.value(7), try row.value(8))
        guard let place = Place(rawValue: named), let state = State(rawValue: told) else {
            throw QueueStoreError(.unreadable, "an entry in no known place: \(named), \(told)")
        }
        let stage: String? = try row.value(22)
        var activity: Activity?
        if let stage { activity = Activity(stage: stage, host: try row.value(23), began: Timestamp(try row.value(24))) }
        let requirement: String? = try row.value(19)
        let reply: String? = try row.value(20)
        self.init(
            key: EntryKey(
                shard: Shard(rawValue: shard), message: MessageID(try row.value(5)), domain: try row.domain(6)),
            place: place, state: state, isOnRecord: try row.value(21), activity: activity,
            waitsFor: try row.value(25), suspendedBecause: try row.value(26), sender: try row.value(9),
            recipients: Self.recipients(try row.value(10)),
            size: Int(try row.value(11, as: Int64.self)), arrival: Timestamp(try row.value(12)),
            nextAttempt: try row.value(13, as: PostgresTimestamp?.self).map { Timestamp($0) },
            attempts: Int(try row.value(14, as: Int32.self)), lastStatus: try row.value(15),
            lastReason: try row.value(16), verdict: try row.value(17), node: try row.value(18),
            lastAttempt: requirement == nil && reply == nil
                ? nil : LastAttempt(requirement: requirement, reply: reply))
    }

    /// An entry whose recipients cannot be read must still be seen, and can be dropped; so it is shown without any.
    private static func recipients(_ text: String) -> [QueueRecipient] {
        (try? StoredJSON.decode(text, as: [QueueRecipient].self)) ?? []
    }
}
