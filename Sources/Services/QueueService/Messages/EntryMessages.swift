import ClusterModel
package import ControlAPI
package import MailModel
package import QueueStore
import SwiftProtobuf

extension ControlGetQueueTimeResponse {
    package init(_ time: Timestamp) {
        self.init()
        self.time = .init(of: time)
    }

    package var moment: Timestamp { self.time.moment }
}

extension ControlListEntriesResponse {
    package init(_ page: QueuePage) {
        self.init()
        self.entries = page.entries.map { ControlQueueEntry($0) }
        self.next = page.next?.text ?? ""
    }

    package var page: QueuePage {
        get throws(UnreadableQueueMessage) {
            var entries: [QueueListing] = []
            for entry in self.entries { entries.append(try entry.listing) }
            let next = self.next.isEmpty ? nil : try read(self.next, "next") { QueueCursor($0) }
            return QueuePage(entries: entries, next: next)
        }
    }
}

extension ControlQueueEntry {
    init(_ entry: QueueListing) {
        self.init()
        self.shard = UInt32(entry.key.shard.rawValue)
        self.message = "\(entry.key.message)"
        self.domain = entry.key.domain.text
        self.state = ControlEntryState(entry.state)
        self.place = entry.place.rawValue
        self.isOnRecord = entry.isOnRecord
        self.sender = entry.sender
        self.recipients = entry.recipients.map { ControlEntryRecipient($0) }
        self.size = UInt64(clamping: entry.size)
        self.arrival = .init(of: entry.arrival)
        if let moment = entry.nextAttempt { self.nextAttempt = .init(of: moment) }
        self.attempts = UInt32(clamping: entry.attempts)
        self.setWords(entry)
    }

    /// What is there or not.
    private mutating func setWords(_ entry: QueueListing) {
        if let activity = entry.activity { self.activity = ControlEntryActivity(activity) }
        if let text = entry.waitsFor { self.waitsFor = text }
        if let text = entry.suspendedBecause { self.suspendedBecause = text }
        if let text = entry.lastStatus { self.lastStatus = text }
        if let text = entry.lastReason { self.lastReason = text }
        if let text = entry.verdict { self.verdict = text }
        if let text = entry.node { self.node = text }
        guard let attempt = entry.lastAttempt else { return }
        self.lastAttempt = .init()
        if let text = attempt.requirement { self.lastAttempt.requirement = text }
        if let text = attempt.reply { self.lastAttempt.reply = text }
    }

    var listing: QueueListing {
        get throws(UnreadableQueueMessage) {
            QueueListing(
                key: EntryKey(
                    shard: Shard(rawValue: Int16(clamping: self.shard)),
                    message: try read(self.message, "message") { MessageID($0) },
                    domain: try read(self.domain, "domain") { DomainName($0) }),
                place: try read(self.place, "place") { QueueListing.Place(rawValue: $0) }, state: try self.state.state,
                isOnRecord: self.isOnRecord, activity: self.hasActivity ? self.activity.value : nil,
                waitsFor: self.hasWaitsFor ? self.waitsFor : nil,
                suspendedBecause: self.hasSuspendedBecause ? self.suspendedBecause : nil, sender: self.sender,
                recipients: self.recipients.map(\.value), size: Int(clamping: self.size), arrival: self.arrival.moment,
                nextAttempt: self.hasNextAttempt ? self.nextAttempt.moment : nil, attempts: Int(self.attempts),
                lastStatus: self.hasLastStatus ? self.lastStatus : nil,
                lastReason: self.hasLastReason ? self.lastReason : nil, verdict: self.hasVerdict ? self.verdict : nil,
                node: self.hasNode ? self.node : nil, lastAttempt: self.hasLastAttempt ? self.lastAttempt.value : nil)
        }
    }
}

extension ControlEntryActivity {
    fileprivate init(_ activity: QueueListing.Activity) {
        self.init()
        self.stage = activity.stage
        if let host = activity.host { self.host = host }
        self.began = .init(of: activity.began)
    }

    fileprivate var value: QueueListing.Activity {
        QueueListing.Activity(stage: self.stage, host: self.hasHost ? self.host : nil, began: self.began.moment)
    }
}

extension ControlEntryRecipient {
    fileprivate init(_ recipient: QueueRecipient) {
        self.init()
        self.address = recipient.address
        if let notify = recipient.notify { self.notify = notify }
        if let original = recipient.originalRecipient { self.originalRecipient = original }
    }

    fileprivate var value: QueueRecipient {
        QueueRecipient(
            address: self.address, notify: self.hasNotify ? self.notify : nil,
            originalRecipient: self.hasOriginalRecipient ? self.originalRecipient : nil)
    }
}

extension ControlEntryAttempt {
    fileprivate var value: QueueListing.LastAttempt {
        QueueListing.LastAttempt(
            requirement: self.hasRequirement ? self.requirement : nil, reply: self.hasReply ? self.reply : nil)
    }
}
