import DANE
public import DNSModel
import MailModel

/// What planning says of a next hop.
public enum RouteStep: Hashable, Sendable {
    /// Ask all of these, at the same time, and come back with their answers too; never empty, and two at the most.
    case ask(Set<DNSQuestion>)
    /// Hosts, to be looked up one by one in this order; at least one.
    case hosts([HostPlanning])
    /// A host that needs no look-up.
    case host(PlannedHost)
    /// There is no host.
    case none(NoRoute)
}

/// Finds the hosts of one next hop, without doing any look-up itself (RFC 7672 §2.2). `HostPlanning` then says what each
/// must prove.
///
/// Planning has no state but the answers. A question is only asked when the answers before it allow it, and a host is
/// only looked up when its turn has come. A hundred mail exchangers that do not answer cost one of them at a time.
public struct RoutePlanning: Hashable, Sendable {
    /// What is planned for.
    public let nextHop: NextHop
    /// The operator's decisions.
    public let policy: RoutePolicy

    /// Planning for one next hop.
    public init(to nextHop: NextHop, policy: RoutePolicy = RoutePolicy()) {
        self.nextHop = nextHop
        self.policy = policy
    }

    /// What to ask, or the hosts. Pass every answer so far.
    public func step(_ answers: [DNSQuestion: DNSAnswer]) -> RouteStep {
        switch self.nextHop {
        case .address(let address, let port):
            .host(PlannedHost(name: nil, port: port, addresses: [address], requirement: .opportunistic))
        case .literal(let address, let port):
            if self.policy.isOurs(address) {
                .none(.failed(.routingLoop(DomainName(literal: address))))
            } else if !self.policy.mayBeRemote(address) {
                .none(.failed(.loopback(DomainName(literal: address))))
            } else {
                .host(
                    PlannedHost(name: nil, port: port, addresses: [address.unmapped], requirement: .opportunistic))
            }
        case .host(let name, _):
            .hosts([HostPlanning(name: name, origin: .configured(name), planning: self)])
        case .domain(let name, _):
            self.step(domain: name, answers)
        }
    }

    private func step(domain: DomainName, _ answers: [DNSQuestion: DNSAnswer]) -> RouteStep {
        let question = DNSQuestion(domain, .mx)
        guard let answer = answers[question] else { return .ask([question]) }
        if let aliases = answer.aliases, aliases.count > self.policy.limits.aliasHops {
            return .none(.failed(.overLimit(question, count: aliases.count)))
        }
        switch answer {
        case .failed(let failure):
            return .none(.failed(failure.blame(question)))
        case .absent(.nameError, let state, let aliases):
            return self.step(end: .noSuchDomain(.nameError, state), state, of: question, aliases, answers)
        case .absent(.noData, let state, let aliases), .absent(.unsignedDelegation, let state, let aliases):
            // The domain is its own host, and must not be this system either.
            guard !self.policy.ownNames.contains(domain) else { return .none(.failed(.routingLoop(domain))) }
            let origin = HostOrigin.implicitMX(state, domain: domain, aliases: aliases)
            return .hosts([HostPlanning(name: domain, origin: origin, planning: self)])
        case .found(let records, let state, let aliases):
            let origin = HostOrigin.mx(state, domain: domain, expanded: aliases.last)
            switch self.exchangers(records, of: question, state) {
            case .failure(.nullMX(let state)):
                return self.step(end: .nullMX(state), state, of: question, aliases, answers)
            case .failure(let end): return .none(end)
            case .success(let list):
                return .hosts(
                    list.map {
                        HostPlanning(name: $0.name, preference: $0.preference, origin: origin, planning: self)
                    })
            }
        }
    }
}

extension RoutePlanning {
    /// The answer to the MX question ends delivery for good. One without a signature, which anybody could have made up, does so
    /// only where it is proven that there need be none (rule 12a).
    private func step(
        end: NoRoute, _ state: DNSSECState, of question: DNSQuestion, _ aliases: [DomainName],
        _ answers: [DNSQuestion: DNSAnswer]
    ) -> RouteStep {
        guard state == .insecure else { return .none(end) }
        var proof = InsecurityProof(question: question, aliases: aliases, limits: self.policy.limits)
        if case .noSuchDomain = end { proof.isOfAbsence = true }
        switch proof.step(answers) {
        case .ask(let questions): return .ask(questions)
        case .proven: return .none(end)
        case .failed(let failure): return .none(.failed(failure))
        }
    }
}

// MARK: - Mail exchangers

private struct Exchanger {
    let name: DomainName
    let preference: UInt16
}

extension RoutePlanning {
    /// The best MX hosts in order of preference, each once, and none from our own preference on.
    private func exchangers(
        _ records: [DNSRecord], of question: DNSQuestion, _ state: DNSSECState
    ) -> Result<[Exchanger], NoRoute> {
        var hasNullMX = false
        var best: [DomainName: UInt16] = [:]
        var order: [DomainName] = []
        for case .mx(let preference, let exchange) in records {
            guard let exchange else {
                hasNullMX = true
                continue
            }
            if best[exchange] == nil { order.append(exchange) }
            best[exchange] = min(preference, best[exchange] ?? preference)
        }
        guard !order.isEmpty else {
            let malformed = NoRoute.failed(.dnsQueryFailed(question, .malformed("no MX record in the answer")))
            return .failure(hasNullMX ? .nullMX(state) : malformed)
        }
        let ownPreference = self.policy.ownNames.compactMap { best[$0] }.min()
        let hosts = order.map { Exchanger(name: $0, preference: best[$0] ?? 0) }
            .filter { host in ownPreference.map { host.preference < $0 } ?? true }
        guard !hosts.isEmpty else { return .failure(.failed(.routingLoop(question.name))) }
        // Swift's sort is stable in practice but does not promise to be, so the place in the answer breaks ties.
        let sorted = hosts.enumerated().sorted {
            ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
        }
        return .success(sorted.prefix(self.policy.limits.mailExchangers).map(\.element))
    }
}

// MARK: - Answers

extension DNSAnswer {
    /// The aliases that were followed; `nil` for a failure.
    var aliases: [DomainName]? {
        switch self {
        case .found(_, _, let aliases), .absent(_, _, let aliases): aliases
        case .failed: nil
        }
    }
}

extension DNSFailure {
    /// The failure of an MX or address look-up: DNSSEC's only if validation failed.
    func blame(_ question: DNSQuestion) -> RouteFailure {
        if case .bogus = self { return .dnssecInvalid(question, self) }
        return .dnsQueryFailed(question, self)
    }

    /// The failure of a look-up that DANE depends on: whatever it is, absence is not proven (RFC 7672 §2.1.2). Only
    /// a resolver of ours that cannot work is not held against the domain (rule 38).
    func blameDNSSEC(_ question: DNSQuestion) -> RouteFailure {
        if case .resolverUnavailable = self { return .dnsQueryFailed(question, self) }
        return .dnssecInvalid(question, self)
    }
}
