public import MailModel

/// The hosts of one next hop in the order in which to try them, each to be looked up when its turn comes.
public struct MXOrder: Hashable, Sendable {
    private var ahead: ArraySlice<HostPlanning>
    /// The names of all hosts, tried or not, in alphabetical order.
    public let hostNames: [DomainName]

    /// Those of equal preference come in random order, to spread load over them (RFC 5321 §5.1).
    public init(_ hosts: [HostPlanning], using generator: inout some RandomNumberGenerator) {
        let order = hosts.shuffled(using: &generator)
        let preferences = Set(hosts.map(\.preference)).sorted()
        self.ahead = preferences.flatMap { value in order.filter { $0.preference == value } }[...]
        self.hostNames = hosts.map(\.name).sorted { $0.text < $1.text }
    }

    /// The next host to look up; `nil` at the end.
    public mutating func next() -> HostPlanning? { self.ahead.popFirst() }

    /// How to look up a host that was not tried yet; `nil` where the next hop has no host of this name.
    public func planning(of name: DomainName?) -> HostPlanning? { self.ahead.first { $0.name == name } }

    /// What came of looking one up. Where it is this system itself, those of its preference and behind it are for
    /// others to try. They would give the mail back to us (RFC 5321 §5.1).
    public mutating func planned(_ host: PlannedHost) {
        if case .routingLoop = host.failure { self.ahead.removeAll() }
    }
}
