public import DeliveryQueue
import InternationalDomains
import MailModel
public import QueueStore

/// A standing rule that is to be made.
public struct RuleRequest: Hashable, Sendable {
    /// What it does.
    public var action: QueueRule.Action
    /// A domain of recipients, or `*.` and one above theirs.
    public var domain: String?
    /// Every domain is meant.
    public var isEverythingMeant = false
    /// When it ends.
    public var end = QueueRuleEnd.after(Self.usualLength)
    /// Why.
    public var reason: String
    /// Only count what it would be about.
    public var isDryRun = false
    /// It is confirmed already.
    public var isConfirmed = false
    /// Who, for the record.
    public var actor: String

    /// How long it lasts, unless something is said.
    public static let usualLength = Duration.seconds(3600)
    /// The most bytes of a reason, which stands in replies and reports.
    public static let longestReason = 200

    /// A request.
    public init(_ action: QueueRule.Action, _ domain: String?, because reason: String, by actor: String) {
        self.action = action
        self.domain = domain
        self.reason = reason
        self.actor = actor
    }

    /// What gives mail up, and what is about every domain, is asked about first.
    var needsConfirmation: Bool { self.action == .bounce || self.isEverythingMeant }
}

/// Standing rules that are to be lifted.
public struct ResumeRequest: Hashable, Sendable {
    /// Their domain, as they were made with it.
    public var domain: String?
    /// The rule about every domain is meant.
    public var isEverythingMeant = false
    /// The rule's number.
    public var id: Int64?
    /// Why, for the record.
    public var reason: String?
    /// Who, for the record.
    public var actor: String

    /// A request.
    public init(by actor: String) { self.actor = actor }
}

extension QueueConsole {
    /// Makes a standing rule, once it is clear that it is meant, and writes what it is. A bounce also gives up what waits.
    public func make(_ request: RuleRequest) async throws(ConsoleFailure) {
        let scope = try Self.scope(request.domain, isEverythingMeant: request.isEverythingMeant)
        guard (1...RuleRequest.longestReason).contains(request.reason.utf8.count) else {
            throw ConsoleFailure(.usage, "--reason takes 1 to \(RuleRequest.longestReason) bytes")
        }
        let now = try await self.queue.now()
        if case .at(let moment) = request.end, moment <= now {
            throw ConsoleFailure(.usage, "--until \(moment) is past: it is \(now)")
        }
        if request.isDryRun {
            let count = try await self.count(request.action, scope)
            return try self.write(RuleDocument.plan(request.action, scope, count)) {
                ["would \(request.action.rawValue) \(scope.words): \(count.words)"]
            }
        }
        if request.needsConfirmation, !request.isConfirmed { try await self.confirm(request, scope) }
        let rule = try await self.queue.make(
            request.action, scope, until: request.end, by: request.actor, because: request.reason)
        guard rule.action == .bounce else {
            return try self.write(RuleDocument(rule: rule).document()) { [RuleDocument(rule: rule).made(now: now)] }
        }
        // After the rule: what comes meanwhile is given up as it comes due.
        let count = try await self.queue.perform(
            .fail, on: scope.selection(of: .bounce), by: request.actor, because: request.reason, progress: { _ in })
        try self.write(RuleDocument(rule: rule).document(count)) {
            ["\(RuleDocument(rule: rule).made(now: now)); gave up \(count.words)"]
        }
    }

    /// Lists the rules in force.
    public func rules() async throws(ConsoleFailure) {
        let now = try await self.queue.now()
        let rules = try await self.queue.rules()
        let documents = rules.map { RuleDocument(rule: $0) }
        guard self.format != .jsonl else {
            for document in documents { try self.terminal.print(document.document().json) }
            return
        }
        try self.write(.document([.init("rules", .list(documents.map { .record($0.fields) }))])) {
            var table = RuleDocument.table(self.terminal.style)
            return documents.isEmpty ? [] : table.lines(documents.map { $0.row(now: now) })
        }
    }

    /// Lifts rules, and writes which.
    public func resume(_ request: ResumeRequest) async throws(ConsoleFailure) {
        let rules = try await self.queue.rules()
        let chosen: [QueueRule]
        if let id = request.id {
            guard request.domain == nil, !request.isEverythingMeant else {
                throw ConsoleFailure(.usage, "--id goes with no other selector")
            }
            chosen = rules.filter { $0.id == id }
        } else {
            let scope = try Self.scope(request.domain, isEverythingMeant: request.isEverythingMeant, orID: true)
            chosen = rules.filter { $0.scope == scope }
        }
        guard !chosen.isEmpty else {
            throw ConsoleFailure(.badData, "there is no such rule; relayctl queue rules lists them")
        }
        try await self.queue.lift(chosen.map(\.id), by: request.actor, because: request.reason)
        let lifted = chosen.map { RuleDocument(rule: $0) }
        try self.write(
            .document([.init("action", .text("resume")), .init("lifted", .list(lifted.map { .record($0.fields) }))])
        ) { chosen.map { "lifted rule \($0.id): \($0.action.rawValue) \($0.scope.words)" } }
    }

    private static func scope(
        _ domain: String?, isEverythingMeant: Bool, orID: Bool = false
    ) throws(ConsoleFailure) -> QueueRule.Scope {
        guard let domain else {
            guard isEverythingMeant else {
                throw ConsoleFailure(.usage, "say which --domain\(orID ? " or --id" : ""), or --everything")
            }
            return .everything
        }
        guard !isEverythingMeant else { throw ConsoleFailure(.usage, "--everything goes with no --domain") }
        guard domain != "*", let scope = QueueRule.Scope(domain, domainName: { try? DomainName(unicode: $0) }) else {
            throw ConsoleFailure(.usage, "\(domain) is no domain, nor *. and one")
        }
        return scope
    }

    private func count(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope
    ) async throws(ConsoleFailure) -> QueueActionCount {
        try await self.queue.count(action == .bounce ? .fail : .hold, scope.selection(of: action))
    }

    private func confirm(_ request: RuleRequest, _ scope: QueueRule.Scope) async throws(ConsoleFailure) {
        let name = request.action.rawValue
        guard let ask = self.terminal.confirm else {
            throw ConsoleFailure(.usage, "\(name) needs --yes where there is no terminal to ask on")
        }
        let count = try await self.count(request.action, scope)
        guard ask("\(name) \(scope.words), now \(count.words)? [y/N] ") else {
            throw ConsoleFailure(.failed, "nothing was done")
        }
    }
}
