import DeliveryQueue
import MailModel

@testable import QueueStore

/// What became of the recipients of an entry, as the trace tells that is recorded with it.
struct TracedDecisions {
    private(set) var delivered: [String] = []
    /// With the event that says why.
    private(set) var givenUp: [(address: String, event: TraceEvent)] = []
    /// Recipients who are gone, and of whom the trace says nothing.
    private(set) var untold: Set<String>

    init(_ outcome: RecordedOutcome) {
        self.untold = Set(outcome.entry.recipients.map(\.address))
        if case .retry(_, let remaining, _, _) = outcome.result {
            self.untold.subtract(remaining.map(\.address))
        }
        for event in outcome.events {
            let addresses = event.recipients.split(separator: " ").map(String.init)
            switch event.kind {
            case .send, .transfer: self.delivered += addresses.filter { self.untold.remove($0) != nil }
            case .fail: self.givenUp += addresses.filter { self.untold.remove($0) != nil }.map { ($0, event) }
            default: ()
            }
        }
    }
}

extension TraceEvent {
    /// It would have been tried again, had it been younger: the peer did not refuse it for good.
    var isOfExpiry: Bool { self.reason != FailureReason.remoteReply.name || self.reply?.hasPrefix("5") != true }

    /// Which lifetime its message had.
    var failureClass: DeliveryFailure.FailureClass {
        self.reason == FailureReason.tlsaInvalid.name ? .security : .general
    }
}

extension RecordedOutcome {
    /// The sender is told that the message waits.
    var announcesDelay: Bool {
        self.notifications.contains { message in
            guard case .inline(let bytes) = message.body else { return false }
            return String(decoding: bytes, as: UTF8.self).contains("Action: delayed")
        }
    }
}
