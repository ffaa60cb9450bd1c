import DeliveryQueue
import MailModel

@testable import QueueStore

// MARK: - Outcomes

extension Witness {
    /// An outcome was recorded. What became of each recipient is what its trace says.
    func recorded(_ outcome: RecordedOutcome, _ record: StoreRecord) {
        let name = AttemptName(of: outcome.entry, epoch: outcome.epoch, by: record.client)
        self.passed(name.term, record)
        for message in outcome.notifications { self.stored(message, at: record.at) }
        self.attempts[name, default: AttemptLife()].hasOutcome = true
        let decisions = TracedDecisions(outcome)
        for address in decisions.delivered { self.delivered(address, name) }
        for (address, event) in decisions.givenUp { self.givenUp(address, name, event, at: record.at) }
        let isReportOwed = !outcome.entry.sender.isEmpty && !decisions.givenUp.isEmpty
        self.require(!isReportOwed || !outcome.notifications.isEmpty, "\(name) gave up, and told nobody")
        if case .retry(let at, _, _, _) = outcome.result {
            self.entries[name.key]?.attempts = name.number
            if at >= record.at + .seconds(59 * 60) { self.encounters.count(.deferrals) }
        }
        if case .blocked? = outcome.destinationChange { self.encounters.count(.blocks) }
        if outcome.announcesDelay { self.delayAnnounced(name, at: record.at) }
        self.require(
            decisions.untold.isEmpty, "\(name) is on record, and says nothing of \(decisions.untold.sorted())")
    }

    private func delivered(_ address: String, _ name: AttemptName) {
        guard let life = self.entries[name.key] else { return }
        self.require(
            life.copies[address]?.contains(name) ?? false,
            "\(address) is on record as delivered by \(name), and has nothing")
        self.require(life.fates[address] == nil, "\(address) left the queue twice, the last time by \(name)")
        self.entries[name.key]?.fates[address] = .delivered
        self.attempts[name]?.delivered.insert(address)
    }

    private func givenUp(
        _ address: String, _ name: AttemptName, _ event: TraceEvent, at now: Timestamp
    ) {
        guard let life = self.entries[name.key] else { return }
        self.require(life.fates[address] == nil, "\(address) left the queue twice, the last time by \(name)")
        self.entries[name.key]?.fates[address] = .givenUp
        guard event.isOfExpiry else { return self.encounters.count(.refusals) }
        self.encounters.count(.expiries)
        let end = life.arrival + self.scenario.retries[name.key.domain].lifetime(of: event.failureClass)
        self.require(self.latest(now) >= end, "\(name) gave \(address) up before its time")
        guard !self.hasClockJumped else { return }
        let begin = max(end, self.troubleEnded ?? now)
        let slack = self.scenario.longestStep + self.scenario.unit * 60
        self.require(now <= begin + slack, "\(name) gave \(address) up later than a step after its time")
    }

    private func delayAnnounced(_ name: AttemptName, at now: Timestamp) {
        guard let life = self.entries[name.key], let wait = self.scenario.retries[name.key.domain].delayNotice else {
            return
        }
        self.encounters.count(.delayNotices)
        self.require(!life.isDelayAnnounced, "\(name) announced the delay a second time")
        self.require(self.latest(now) >= life.arrival + wait, "\(name) announced the delay before its time")
        self.entries[name.key]?.isDelayAnnounced = true
    }

    func deliveredLate(_ outcome: RecordedOutcome, _ undelivered: [QueueRecipient], _ record: StoreRecord) {
        let name = AttemptName(of: outcome.entry, epoch: outcome.epoch, by: record.client)
        self.encounters.count(.lateDeliveries)
        self.require(
            self.entries[name.key]?.latest == name, "\(name) was recorded late, and is not the latest of its entry")
        self.attempts[name, default: AttemptLife()].hasOutcome = true
        let left = undelivered.map(\.address)
        for recipient in outcome.entry.recipients where !left.contains(recipient.address) {
            self.delivered(recipient.address, name)
        }
        self.entries[name.key]?.wasDeliveredLate = true
    }
}
