package import ControlAPI
package import DeliveryQueue
import MailModel
package import QueueStore
import SwiftProtobuf

extension ControlRuleAction {
    package init(_ action: QueueRule.Action) { self = action == .bounce ? .bounce : .suspend }

    package var action: QueueRule.Action {
        get throws(UnreadableQueueMessage) {
            switch self {
            case .bounce: .bounce
            case .suspend: .suspend
            case .unspecified, .UNRECOGNIZED: throw UnreadableQueueMessage("action", "\(self.rawValue)")
            }
        }
    }
}

extension QueueRule.Scope {
    /// Reads `*`, a domain, or `*.` and one.
    package init(message text: String) throws(UnreadableQueueMessage) {
        self = try read(text, "scope") { QueueRule.Scope($0, domainName: { DomainName($0) }) }
    }
}

extension ControlQueueRule {
    package init(_ rule: QueueRule) {
        self.init()
        self.id = rule.id
        self.action = ControlRuleAction(rule.action)
        self.scope = "\(rule.scope)"
        self.since = .init(of: rule.since)
        if let until = rule.until { self.until = .init(of: until) }
        self.reason = rule.reason
        self.actor = rule.actor
    }

    package var rule: QueueRule {
        get throws(UnreadableQueueMessage) {
            QueueRule(
                id: self.id, action: try self.action.action, scope: try QueueRule.Scope(message: self.scope),
                since: self.since.moment, until: self.hasUntil ? self.until.moment : nil, reason: self.reason,
                actor: self.actor)
        }
    }
}

extension ControlMakeRuleRequest {
    package init(_ action: QueueRule.Action, _ scope: QueueRule.Scope, until end: QueueRuleEnd, reason: String) {
        self.init()
        self.action = ControlRuleAction(action)
        self.scope = "\(scope)"
        self.reason = reason
        switch end {
        case .after(let time): self.after = .init(of: time)
        case .at(let moment): self.at = .init(of: moment)
        case .lifted: ()
        }
    }

    package var ruleEnd: QueueRuleEnd {
        switch self.end {
        case .after(let time): .after(time.time)
        case .at(let moment): .at(moment.moment)
        case nil: .lifted
        }
    }
}

extension ControlFlushDnsRequest {
    package init(_ flush: DNSFlush, reason: String?) {
        self.init()
        switch flush {
        case .name(let name): self.name = name.text
        case .zone(let name): self.zone = name.text
        case .route(let name): self.route = name.text
        case .everything: self.everything = true
        }
        if let reason { self.reason = reason }
    }

    package var flush: DNSFlush {
        get throws(UnreadableQueueMessage) {
            switch self.names {
            case .name(let text): .name(try read(text, "name") { DomainName($0) })
            case .zone(let text): .zone(try read(text, "zone") { DomainName($0) })
            case .route(let text): .route(try read(text, "route") { DomainName($0) })
            case .everything(true): .everything
            case .everything(false), nil: throw UnreadableQueueMessage("names")
            }
        }
    }
}
