package import ControlAPI
import MailModel
package import QueueStore
import SwiftProtobuf

extension ControlEntryState {
    package init(_ state: QueueListing.State) {
        self =
            switch state {
            case .ready: .ready
            case .active: .active
            case .deferred: .deferred
            case .held: .held
            }
    }

    package var state: QueueListing.State {
        get throws(UnreadableQueueMessage) {
            switch self {
            case .ready: .ready
            case .active: .active
            case .deferred: .deferred
            case .held: .held
            case .unspecified, .UNRECOGNIZED: throw UnreadableQueueMessage("state", "\(self.rawValue)")
            }
        }
    }
}

extension ControlEntryAction {
    package init(_ action: QueueAction) {
        self =
            switch action {
            case .hold: .hold
            case .release: .release
            case .retry: .retry
            case .fail: .fail
            case .drop: .drop
            }
    }

    package var action: QueueAction {
        get throws(UnreadableQueueMessage) {
            switch self {
            case .hold: .hold
            case .release: .release
            case .retry: .retry
            case .fail: .fail
            case .drop: .drop
            case .unspecified, .UNRECOGNIZED: throw UnreadableQueueMessage("action", "\(self.rawValue)")
            }
        }
    }
}

extension ControlEntryOrder {
    package init(_ order: QueueOrder) { self = order == .age ? .age : .unspecified }

    package var order: QueueOrder { self == .age ? .age : .key }
}

extension ControlEntrySelection {
    package init(_ selection: QueueSelection) {
        self.init()
        self.messages = selection.messages.map { "\($0)" }
        self.domains = selection.domains.map(\.text)
        self.parents = selection.parents.map(\.text)
        self.senders = selection.senders
        self.haveSender = selection.haveSender
        self.states = QueueListing.State.allCases.filter(selection.states.contains).map { ControlEntryState($0) }
        if let moment = selection.arrivedBefore { self.arrivedBefore = .init(of: moment) }
        self.recipients = selection.recipients
        if let moment = selection.dueBefore { self.dueBefore = .init(of: moment) }
        self.reasons = selection.reasons
        self.hosts = selection.hosts
    }

    package var selection: QueueSelection {
        get throws(UnreadableQueueMessage) {
            var selection = QueueSelection()
            for text in self.messages { selection.messages.append(try read(text, "messages") { MessageID($0) }) }
            for text in self.domains { selection.domains.append(try read(text, "domains") { DomainName($0) }) }
            for text in self.parents { selection.parents.append(try read(text, "parents") { DomainName($0) }) }
            for state in self.states { selection.states.insert(try state.state) }
            selection.senders = self.senders
            selection.haveSender = self.haveSender
            if self.hasArrivedBefore { selection.arrivedBefore = self.arrivedBefore.moment }
            selection.recipients = self.recipients
            if self.hasDueBefore { selection.dueBefore = self.dueBefore.moment }
            selection.reasons = self.reasons
            selection.hosts = self.hosts
            return selection
        }
    }
}
