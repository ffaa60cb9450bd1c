import DeliveryQueue
import MailModel
import QueueStore
import ServiceSupport

/// Writes the reports that senders get on their messages, as far as the budget of reports allows.
struct SenderReports: Sendable {
    /// This node's name.
    let node: DomainName
    /// The header address of reports.
    let sender: Mailbox?
    /// The largest message that a report gives back whole, in bytes.
    let returnedBytes: Int
    let limiter: ReportLimiter
    let store: any DeliveryStore
    let time: any NodeClock
    let random: RandomSource

    /// The reports that are due by a plan, without those for which there is no budget.
    func reports(
        on entry: QueueEntry, _ plan: NotificationPlan, now: Timestamp
    ) async -> [NotificationWriter.Reports] {
        self.limiter.limit(await self.written(on: entry, plan, now: now), on: entry, at: self.time.now)
    }

    /// The original is read here, before the transaction: no connection waits for another.
    private func written(
        on entry: QueueEntry, _ plan: NotificationPlan, now: Timestamp
    ) async -> [NotificationWriter.Reports] {
        guard plan.notices.contains(where: { $0 != nil }) else { return [] }
        var writer = NotificationWriter(
            entry: entry, plan: plan, from: self.sender, reportingMTA: self.node, now: now, random: self.random)
        if let capacity = self.limiter.capacity(forReportOn: entry, at: self.time.now) { writer.capacity = capacity }
        let source = await BodySource.open(entry.key, in: self.store)
        return writer.reports(returning: await source.returned(of: entry, atMost: self.returnedBytes))
    }
}

extension BodySource {
    /// What a report may give back. It is the whole message if the sender asked for it (RET=FULL) and it has at most
    /// `limit` bytes, which stand in the first chunk. Else it is the beginning, with the header section.
    fileprivate consuming func returned(of entry: QueueEntry, atMost limit: Int) async -> ReturnedContent {
        guard case .chunk(let bytes) = await self.next() else { return .header([]) }
        let isAsked = entry.attributes.dsnReturn == .full
        guard isAsked, entry.size <= limit, bytes.count == entry.size else {
            return .header(Array(bytes.prefix(NotificationWriter.headerBytes)))
        }
        return .message(bytes)
    }
}
