public import MailModel

/// What an operator says of all mail to some domains, until a time: a standing rule.
public struct QueueRule: Hashable, Sendable {
    /// What is done. Of several rules about one domain a bounce comes first.
    public enum Action: String, Hashable, Sendable, CaseIterable {
        /// Entries that wait are given up, and new recipients are refused.
        case bounce
        /// No attempt begins. Mail is taken, and waits.
        case suspend
    }

    /// Which domains of recipients it is about.
    public enum Scope: Hashable, Sendable, CustomStringConvertible {
        /// All of them.
        case everything
        /// One, or all below one.
        case domains(DomainPattern)

        /// Reads `*`, or what `DomainPattern` reads.
        public init?(_ text: String, domainName: (String) -> DomainName?) {
            if text == "*" {
                self = .everything
            } else {
                guard let pattern = DomainPattern(text, domainName: domainName) else { return nil }
                self = .domains(pattern)
            }
        }

        /// Whether it names one domain, and not many.
        public var isOneDomain: Bool { if case .domains(let pattern) = self { !pattern.isWildcard } else { false } }

        /// `*`, `example.org` or `*.example.org`.
        public var description: String {
            switch self {
            case .everything: "*"
            case .domains(let pattern): "\(pattern)"
            }
        }
    }

    /// By which operators name it.
    public let id: Int64
    /// What is done.
    public let action: Action
    /// To which domains.
    public let scope: Scope
    /// When it was first made.
    public let since: Timestamp
    /// When it ends; `nil` when an operator ends it.
    public let until: Timestamp?
    /// Why. Senders and clients are told.
    public let reason: String
    /// Who made it, or changed it last.
    public let actor: String

    /// A rule.
    public init(
        id: Int64, action: Action, scope: Scope, since: Timestamp, until: Timestamp?, reason: String, actor: String
    ) {
        self.id = id
        self.action = action
        self.scope = scope
        self.since = since
        self.until = until
        self.reason = reason
        self.actor = actor
    }

    /// Whether it decides about mail from such senders.
    ///
    /// A bounce gives up mail from the null sender only at a domain that it names. Such mail is mostly reports, among
    /// them those on mail that the rule has given up. A rule about many domains would give them up, too, and nobody
    /// would hear of it.
    public func governs(isFromNullSender: Bool) -> Bool {
        !isFromNullSender || self.action != .bounce || self.scope.isOneDomain
    }

    /// Whether it is in force.
    public func isInForce(at now: Timestamp) -> Bool { self.until.map { now < $0 } ?? true }
}

/// All rules that were known at some moment, and which of them governs a domain.
public struct QueueRules: Hashable, Sendable {
    /// The most rules that are in force at once.
    public static let most = 1000

    private let all: [QueueRule]
    private let byScope: [String: [QueueRule]]

    /// These rules.
    public init(_ rules: [QueueRule] = []) {
        self.all = rules
        self.byScope = Dictionary(grouping: rules) { "\($0.scope)" }
    }

    /// There are none.
    public var isEmpty: Bool { self.all.isEmpty }

    /// Those in force.
    public func inForce(at now: Timestamp) -> [QueueRule] { self.all.filter { $0.isInForce(at: now) } }

    /// The rule that decides about mail to a domain. A bounce comes before a suspension; of the same action, the rule
    /// that names the domain most closely. Mail from the null sender may have another rule than the rest.
    public func governing(_ domain: DomainName, isFromNullSender: Bool, at now: Timestamp) -> QueueRule? {
        guard !self.isEmpty else { return nil }
        let candidates = Self.scopes(of: domain).flatMap { self.byScope[$0] ?? [] }.filter {
            $0.isInForce(at: now) && $0.governs(isFromNullSender: isFromNullSender)
        }
        return candidates.first { $0.action == .bounce } ?? candidates.first
    }

    /// The texts of all scopes that a domain is in, from itself to everything.
    private static func scopes(of domain: DomainName) -> [String] {
        var scopes = [domain.text]
        var rest = domain.text[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            scopes.append("*.\(rest)")
        }
        return scopes + ["\(QueueRule.Scope.everything)"]
    }
}
