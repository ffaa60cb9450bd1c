import ClusterModel
import Logging
import MailModel
import QueueStore
import ShardLeases

/// Brings deferred entries back, all that are due soon, however many one domain has.
struct DeferredEntries: Sendable {
    static let interval = Duration.seconds(30)
    private static let page = 1000

    let store: any DeliveryStore
    let leases: LeaseTable
    let time: any NodeClock
    let logger: Logger

    /// Works until cancelled.
    func run() async {
        while !Task.isCancelled {
            for term in self.leases.terms { await self.promote(term) }
            try? await self.time.sleep(for: Self.interval)
        }
    }

    /// Page by page, each in a transaction of its own. What fails is tried again in the next round.
    private func promote(_ term: ShardTerm) async {
        do throws(QueueStoreError) {
            while !Task.isCancelled,
                try await self.store.promoteDeferred(
                    term, within: QueueLimits.promotionHorizon, limit: Self.page) == Self.page
            {}
        } catch {
            self.logger.warning(
                "maintenance failed",
                metadata: ["chore": "bringing deferred entries back", "error": "\(error)"])
        }
    }
}
