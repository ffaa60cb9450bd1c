import ClusterModel
import MailModel

@testable import QueueStore

// MARK: - Attempts

extension Witness {
    // MARK: - What nodes say

    /// A node has told a client 250.
    func accepted(_ message: AcceptedMessage) {
        for entry in message.entries {
            let shard = self.scenario.map.shard(for: entry.domain, message: message.id)
            let key = EntryKey(shard: shard, message: message.id, domain: entry.domain)
            self.require(self.entries[key] != nil, "\(message.id.short) was accepted and is not stored")
        }
    }

    /// A node believes that the outcome of an attempt is on record.
    func believedRecorded(_ name: AttemptName) {
        let attempt = self.attempts[name]
        self.require(
            attempt?.hasOutcome ?? false
                || self.entries[name.key]?.wasDeliveredLate ?? false && attempt?.isOpened != true,
            "\(name) is believed to be on record, and is not")
    }

    /// A node was told that it can have no outcome recorded.
    func refused() { self.encounters.count(.lateRefusals) }

    /// A node was told that its term is over: what it has delivered it must add at once.
    func cameTooLate(_ outcome: RecordedOutcome, _ name: AttemptName) {
        if !TracedDecisions(outcome).delivered.isEmpty { self.lateDeliveries.insert(name) }
    }

    /// A node asks to add a delivery that came too late for its term.
    func addsLate(_ name: AttemptName) { self.lateDeliveries.remove(name) }

    /// A node has taken all steps that it can take at this moment.
    func tookSteps(_ client: StoreClient) {
        let forgotten = self.lateDeliveries.filter { $0.client == client }.min(by: AttemptName.isFirst)
        if let forgotten { self.world.violate("\(forgotten) has delivered, and does not have that recorded") }
    }

    /// A node has let an outcome go.
    func forgotten(_ name: AttemptName) { self.attempts[name, default: AttemptLife()].isForgotten = true }

    // MARK: - Final dots

    /// A node found enough of its lease left. Where nobody set the database's clock, the database must agree.
    func dotPermitted(_ name: AttemptName) {
        self.attempts[name, default: AttemptLife()].permitted = self.world.now
        guard !self.hasClockJumped else { return }
        let lease = self.leases[Int(name.key.shard.rawValue)]
        // A request of its own that came late may have taken the shard from it; that is nobody else yet.
        let isLeft =
            lease.owner == name.client
            && lease.expiresAt.map { self.databaseNow + self.scenario.terms.finalDotMargin <= $0 } ?? false
        self.require(isLeft, "\(name) finishes with too little of its lease left")
    }

    /// A node found too little of its lease left.
    func dotForbidden() { self.encounters.count(.shortLeases) }

    func dotWritten(_ name: AttemptName) {
        self.require(self.attempts[name]?.isOpened ?? false, "\(name) writes its final dot and is not on record")
        if let other = self.entries[name.key]?.dots[name.number] {
            self.world.violate("\(name) writes its final dot after \(other) wrote that of the same attempt")
        }
        self.entries[name.key]?.dots[name.number] = name
        if let permitted = self.attempts[name]?.permitted {
            self.attempts[name]?.isDotLate = self.world.now - permitted > self.scenario.terms.finalDotMargin
        }
    }

    /// The peer has taken the message for these.
    func copyTaken(by name: AttemptName, for recipients: [String]) {
        for address in recipients {
            self.encounters.count(.copies)
            let earlier = self.entries[name.key]?.copies[address] ?? []
            for other in earlier {
                self.encounters.count(.explainedDuplicates)
                self.require(
                    self.explains(other, address) || self.isOvertaken(name),
                    "\(address) has a second copy by \(name), after \(other)")
            }
            self.entries[name.key]?.copies[address] = earlier + [name]
        }
    }

    func replyLost(_ name: AttemptName) { self.attempts[name, default: AttemptLife()].isReplyLost = true }

    /// Whether a second copy is nobody's fault: the first attempt's reply was lost, or its outcome could not be recorded in
    /// time.
    private func explains(_ name: AttemptName, _ address: String) -> Bool {
        guard let attempt = self.attempts[name] else { return false }
        return attempt.isReplyLost
            || !attempt.isForgotten && !attempt.hasOutcome && !attempt.delivered.contains(address)
    }

    /// Whether a second copy is that of a process which was stopped between its check and the final dot, so that
    /// another owner went on. The attempt is on record, and has no outcome.
    private func isOvertaken(_ name: AttemptName) -> Bool {
        guard let attempt = self.attempts[name] else { return false }
        return attempt.isDotLate && attempt.isOpened && !attempt.hasOutcome
    }
}
