import MailModel

/// Finds the hosts of one next hop and what each must prove, without doing any look-up itself (RFC 7672 §2.2).
///
/// Planning has no state but the answers: `step` reads all that are known and says which are missing, at most four
/// rounds deep (MX; A and AAAA; CNAME or TLSA; TLSA of the unexpanded name). A question is only asked when the answers before it allow
/// it: many servers of unsigned zones answer SERVFAIL to TLSA, and asking them would defer all their mail (rule 1).
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

    /// What to ask next, or the result. Pass every answer so far; `parses` is that of `TLSARecordSet`.
    public func step(_ answers: [DNSQuestion: DNSAnswer], parses: (TLSARecord) -> Bool) -> RouteStep {
        switch self.nextHop {
        case .address(let address, let port):
            let host = PlannedHost(name: nil, port: port, addresses: [address], requirement: .opportunistic)
            return .finished(.plan(RoutePlan(nextHop: self.nextHop, hosts: [host])))
        case .host(let name, _):
            let host = HostPlanning(name: name, origin: .configured(name), planning: self)
            return self.step(hosts: [host], answers, parses: parses)
        case .domain(let name, _):
            return self.step(domain: name, answers, parses: parses)
        }
    }

    private func step(
        domain: DomainName, _ answers: [DNSQuestion: DNSAnswer], parses: (TLSARecord) -> Bool
    ) -> RouteStep {
        let question = DNSQuestion(domain, .mx)
        guard let answer = answers[question] else { return .ask([question]) }
        if let aliases = answer.aliases, aliases.count > self.policy.limits.aliasHops {
            return .finished(.failed(.overLimit(question, count: aliases.count)))
        }
        switch answer {
        case .failed(let failure):
            return .finished(.failed(failure.blame(question)))
        case .absent(.nameError, let state, _):
            return .finished(.noSuchDomain(.nameError, state))
        case .absent(.noData, let state, let aliases):
            let origin = HostOrigin.implicitMX(state, domain: domain, expanded: aliases.last)
            let host = HostPlanning(name: domain, origin: origin, planning: self)
            return self.step(hosts: [host], answers, parses: parses).rejectingDomainWithoutAddress(state)
        case .found(let records, let state, let aliases):
            let origin = HostOrigin.mx(state, domain: domain, expanded: aliases.last)
            switch self.exchangers(records, of: question, state) {
            case .failure(let end): return .finished(end.result)
            case .success(let list):
                let hosts = list.map {
                    HostPlanning(name: $0.name, preference: $0.preference, origin: origin, planning: self)
                }
                return self.step(hosts: hosts, answers, parses: parses)
            }
        }
    }

    /// Collects what all hosts still need, so that a round asks everything that can be asked in parallel.
    private func step(
        hosts: [HostPlanning], _ answers: [DNSQuestion: DNSAnswer], parses: (TLSARecord) -> Bool
    ) -> RouteStep {
        var missing: Set<DNSQuestion> = []
        var planned: [PlannedHost] = []
        for host in hosts {
            switch host.step(answers, parses: parses) {
            case .ask(let questions): missing.formUnion(questions)
            case .planned(let host): planned.append(host)
            }
        }
        guard missing.isEmpty else { return .ask(missing) }
        return .finished(.plan(RoutePlan(nextHop: self.nextHop, hosts: planned)))
    }
}

// MARK: - Mail exchangers

private struct Exchanger {
    let name: DomainName
    let preference: UInt16
}

/// An MX RRset that ends planning.
private struct EarlyEnd: Error {
    let result: RouteResult
}

extension RoutePlanning {
    /// The MX hosts in order of preference, each once, and none from our own preference on.
    private func exchangers(
        _ records: [DNSRecord], of question: DNSQuestion, _ state: DNSSECState
    ) -> Result<[Exchanger], EarlyEnd> {
        guard records.count <= self.policy.limits.mailExchangers else {
            return .failure(EarlyEnd(result: .failed(.overLimit(question, count: records.count))))
        }
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
            let malformed = RouteResult.failed(.dnsQueryFailed(question, .malformed("no MX record in the answer")))
            return .failure(EarlyEnd(result: hasNullMX ? .nullMX(state) : malformed))
        }
        let ownPreference = self.policy.ownNames.compactMap { best[$0] }.min()
        let hosts = order.map { Exchanger(name: $0, preference: best[$0] ?? 0) }
            .filter { host in ownPreference.map { host.preference < $0 } ?? true }
        guard !hosts.isEmpty else { return .failure(EarlyEnd(result: .failed(.routingLoop(question.name)))) }
        // Swift's sort is stable in practice but does not promise to be, so the place in the answer breaks ties.
        let sorted = hosts.enumerated().sorted {
            ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
        }
        return .success(sorted.map(\.element))
    }
}

extension RouteStep {
    /// Without an MX record the domain is its own host; if that has securely or insecurely no address either, nobody
    /// takes mail there.
    fileprivate func rejectingDomainWithoutAddress(_ state: DNSSECState) -> RouteStep {
        guard case .finished(.plan(let plan)) = self, case .noAddress = plan.hosts.first?.failure else { return self }
        return .finished(.noSuchDomain(.noData, state))
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
