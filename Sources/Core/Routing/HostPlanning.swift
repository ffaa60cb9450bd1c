import DANE
public import DNSModel
public import MailModel

/// How a host came into the plan, which decides what its TLSA records are worth.
enum HostOrigin: Hashable, Sendable {
    /// Named by an MX RRset of this state.
    case mx(DNSSECState, domain: DomainName, expanded: DomainName?)
    /// The domain itself, as it has no MX; the state is that of the denial (rule 8), to which these aliases led.
    case implicitMX(DNSSECState, domain: DomainName, aliases: [DomainName])
    /// Named by the operator (rule 11).
    case configured(DomainName)

    var mxState: LookupState {
        switch self {
        case .mx(let state, _, _), .implicitMX(let state, _, _): LookupState(state)
        case .configured: .notAsked
        }
    }

    /// The state of the denial that made the domain its own host.
    var denial: DNSSECState? { if case .implicitMX(let state, _, _) = self { state } else { nil } }

    var trust: RouteTrust { if case .mx(.insecure, _, _) = self { .insecureMX } else { .endToEnd } }

    /// The names beside the base domain that a certificate under DANE-TA may carry (RFC 7672 §3.2.2).
    var nextHopNames: [DomainName] {
        switch self {
        // An insecure MX RRset vouches for no name.
        case .mx(.insecure, _, _), .implicitMX(.insecure, _, _): []
        case .mx(.secure, let domain, let expanded): [domain] + [expanded].compactMap(\.self)
        case .implicitMX(.secure, let domain, let aliases): [domain] + aliases.suffix(1)
        case .configured(let name): [name]
        }
    }
}

/// Planning for one host: its addresses, then its TLSA base domain, then the requirement. It takes three rounds at
/// most: A and AAAA; CNAME or TLSA; TLSA of the unexpanded name. An insecure answer where it should be secure takes
/// more: it is believed only with an `InsecurityProof`, of two questions a round.
///
/// A question is only asked when the answers before it allow it. Many servers of unsigned zones answer SERVFAIL to
/// TLSA, and asking them would defer all their mail (rule 1).
public struct HostPlanning: Hashable, Sendable {
    /// What planning says after each round of answers.
    public enum Step: Hashable, Sendable {
        /// Ask all of these, at the same time, and come back with their answers too; never empty.
        case ask(Set<DNSQuestion>)
        /// The host; it may be unusable, with its reason.
        case planned(PlannedHost)
        /// It was the domain itself, without an MX record, and nobody takes mail there.
        case none(NoRoute)
    }

    /// The host's name, before alias expansion.
    public let name: DomainName
    /// The MX preference; 0 where there was no MX.
    public let preference: UInt16
    let origin: HostOrigin
    let planning: RoutePlanning

    init(name: DomainName, preference: UInt16 = 0, origin: HostOrigin, planning: RoutePlanning) {
        self.name = name
        self.preference = preference
        self.origin = origin
        self.planning = planning
    }

    /// What to ask next, or the host. Pass every answer so far; `parses` is that of `TLSARecordSet`.
    public func step(_ answers: [DNSQuestion: DNSAnswer], parses: (TLSARecord) -> Bool) -> Step {
        let questions = self.addressTypes.map { DNSQuestion(self.name, $0) }
        let missing = questions.filter { answers[$0] == nil }
        guard missing.isEmpty else { return .ask(Set(missing)) }
        var states = HostStates(mx: self.origin.mxState)
        switch self.addresses(questions.map { ($0, answers[$0] ?? .failed(.timeout)) }) {
        case .skip(let failure, let state):
            states.address = state
            return .planned(self.skipped(failure, states))
        case .denied(let unproven):
            states.address = unproven.isEmpty ? .secure : .insecure
            return self.step(denied: unproven, states, answers)
        case .use(let addresses):
            states.address = LookupState(addresses.state)
            switch self.baseDomains(addresses, answers) {
            case .ask(let questions): return .ask(questions)
            case .skip(let failure): return .planned(self.skipped(failure, states))
            case .candidates(let names): return self.step(names, addresses, states, answers, parses: parses)
            }
        }
    }

    private var addressTypes: [DNSQuestion.RecordType] {
        switch self.planning.policy.families {
        case .both: [.aaaa, .a]
        case .ipv4: [.a]
        case .ipv6: [.aaaa]
        }
    }

    /// Without an MX record the domain is its own host; without any address either, nobody takes mail there. Half of the
    /// addresses prove nothing.
    private var isWholeDomain: Bool { self.origin.denial != nil && self.planning.policy.families == .both }

    /// Both families are denied. That ends delivery for good. So denials without signatures need their proof where a
    /// secure MX record names the host, or where the domain has no MX. Anybody could have made them up (rule 12a).
    private func step(
        denied unproven: [InsecurityProof], _ states: HostStates, _ answers: [DNSQuestion: DNSAnswer]
    ) -> Step {
        if self.planning.policy.families == .both {
            for proof in self.proofs(ofAbsence: unproven) {
                switch proof.step(answers) {
                case .ask(let questions): return .ask(questions)
                case .failed(let failure): return .planned(self.skipped(failure, states))
                case .proven: continue
                }
            }
        }
        if self.isWholeDomain { return .none(.noSuchDomain(.noData, self.origin.denial ?? .insecure)) }
        return .planned(self.skipped(self.absent, states))
    }

    /// The proofs that it takes to say that the host does not exist.
    private func proofs(ofAbsence unproven: [InsecurityProof]) -> [InsecurityProof] {
        switch self.origin {
        // Whoever made up an insecure MX could have named any host.
        case .mx(.insecure, _, _), .configured: []
        case .mx(.secure, _, _), .implicitMX(.secure, _, _): unproven
        case .implicitMX(.insecure, let domain, let aliases):
            [self.proof(ofAbsence: DNSQuestion(domain, .mx), aliases)] + unproven
        }
    }

    /// The host stands in the domain whose MX it is, and that MX, or its denial, is secure.
    private var isInSecureDomain: Bool {
        self.origin.nextHopNames.contains(where: self.name.isWithin) && self.origin.mxState == .secure
    }

    /// TLSA at the first base domain that has a secure RRset.
    private func step(
        _ baseDomains: [DomainName], _ addresses: HostAddresses, _ states: HostStates,
        _ answers: [DNSQuestion: DNSAnswer], parses: (TLSARecord) -> Bool
    ) -> Step {
        var states = states
        for baseDomain in baseDomains {
            // A name too long to be put below _25._tcp cannot have TLSA records.
            guard let owner = baseDomain.prefixed(by: "_\(self.planning.nextHop.port)._tcp") else { continue }
            let question = DNSQuestion(owner, .tlsa)
            guard let answer = answers[question] else { return .ask([question]) }
            if let count = answer.aliases?.count, count > self.planning.policy.limits.aliasHops {
                states.tlsa = .failed
                return .planned(self.skipped(.dnssecInvalid(question, .tooManyAliases), states))
            }
            switch answer {
            case .failed(let failure):
                // An error at the expanded name never falls through to the original one (rule 3).
                states.tlsa = LookupState(failure)
                return .planned(self.skipped(failure.blameDNSSEC(question), states))
            case .found(let records, .secure, _):
                states.tlsa = .secure
                let set = self.judge(records, at: baseDomain, parses: parses)
                return .planned(self.protected(by: set, addresses, states))
            case .found(_, .insecure, let aliases), .absent(_, .insecure, let aliases):
                // Its host is secure, so this is a surprise, and may be an attack (rule 12a).
                switch self.proof(of: question, aliases).step(answers) {
                case .ask(let questions): return .ask(questions)
                case .failed(let failure):
                    states.tlsa = LookupState(failure)
                    return .planned(self.skipped(failure, states))
                case .proven: states.tlsa = .insecure
                }
            case .absent(_, .secure, _):
                states.tlsa = .absent
            }
        }
        return .planned(self.host(addresses.list, .opportunistic, states))
    }

    private func proof(of question: DNSQuestion, _ aliases: [DomainName]) -> InsecurityProof {
        InsecurityProof(question: question, aliases: aliases, limits: self.planning.policy.limits)
    }

    private func proof(ofAbsence question: DNSQuestion, _ aliases: [DomainName]) -> InsecurityProof {
        var proof = self.proof(of: question, aliases)
        proof.isOfAbsence = true
        return proof
    }

    private func judge(
        _ records: [DNSRecord], at baseDomain: DomainName, parses: (TLSARecord) -> Bool
    ) -> TLSARecordSet {
        let records = records.compactMap { if case .tlsa(let record) = $0 { record } else { nil } }
        return TLSARecordSet(
            records, at: TLSABaseDomain(baseDomain, port: self.planning.nextHop.port),
            preference: self.planning.policy.digestPreference, parses: parses)
    }
}

// MARK: - Results

extension HostPlanning {
    private func protected(by set: TLSARecordSet, _ addresses: HostAddresses, _ states: HostStates) -> PlannedHost {
        let usable = set.usableRecords
        let onlyEncrypt = self.origin.trust == .insecureMX && self.planning.policy.insecureMX == .encrypt
        guard !usable.isEmpty, !onlyEncrypt else {
            return self.host(addresses.list, .encrypt, states, trust: self.origin.trust, tlsa: set)
        }
        var names = [set.baseDomain.name]
        for name in self.origin.nextHopNames where !names.contains(name) { names.append(name) }
        let authentication = DANEAuthentication(
            records: usable, baseDomain: set.baseDomain, referenceIdentifiers: names)
        return self.host(
            addresses.list, .authenticate(authentication), states, trust: self.origin.trust, tlsa: set)
    }

    private func skipped(_ failure: RouteFailure, _ states: HostStates) -> PlannedHost {
        let requirement: DANERequirement =
            switch failure {
            case .dnssecInvalid(_, let cause), .dnsQueryFailed(_, let cause): .unavailable(cause)
            case .overLimit: .unavailable(.malformed("more records than allowed"))
            // Nothing failed here: there is merely nowhere to connect to.
            case .noAddress, .noSuchHost, .routingLoop, .loopback: .opportunistic
            }
        return self.host([], requirement, states, failure: failure)
    }

    private func host(
        _ addresses: [IPAddress], _ requirement: DANERequirement, _ states: HostStates,
        failure: RouteFailure? = nil, trust: RouteTrust = .unprotected, tlsa: TLSARecordSet? = nil
    ) -> PlannedHost {
        PlannedHost(
            name: self.name, preference: self.preference, port: self.planning.nextHop.port, addresses: addresses,
            requirement: requirement, failure: failure, trust: trust, states: states, tlsa: tlsa)
    }
}

// MARK: - Addresses and base domain

/// The addresses that count, and how their name was expanded.
struct HostAddresses: Hashable {
    let question: DNSQuestion
    let list: [IPAddress]
    let state: DNSSECState
    let aliases: [DomainName]
}

extension HostPlanning {
    private enum AddressOutcome {
        case use(HostAddresses)
        case skip(RouteFailure, LookupState)
        /// There is none; the proofs that those denials need which are insecure.
        case denied([InsecurityProof])
    }

    private enum BaseDomainOutcome {
        case candidates([DomainName])
        case ask(Set<DNSQuestion>)
        case skip(RouteFailure)
    }

    /// Joins both families. A family that validated beats one that did not (rule 9); absence counts only when
    /// neither family failed.
    private func addresses(_ families: [(DNSQuestion, DNSAnswer)]) -> AddressOutcome {
        var found: [HostAddresses] = []
        var failures: [RouteFailure] = []
        var unproven: [InsecurityProof] = []
        for (question, answer) in families {
            if let count = answer.aliases?.count, count > self.planning.policy.limits.aliasHops {
                failures.append(.overLimit(question, count: count))
                continue
            }
            switch answer {
            case .found(let records, let state, let aliases):
                let list = records.compactMap { if case .address(let address) = $0 { address } else { nil } }
                // An answer without an address is nobody's absence, so it must not bounce mail.
                guard !list.isEmpty else {
                    failures.append(.dnsQueryFailed(question, .malformed("no address in the answer")))
                    continue
                }
                found.append(HostAddresses(question: question, list: list, state: state, aliases: aliases))
            case .absent(_, let state, let aliases):
                if state == .insecure { unproven.append(self.proof(ofAbsence: question, aliases)) }
            case .failed(let failure):
                failures.append(failure.blame(question))
            }
        }
        let secure = found.filter { $0.state == .secure }
        let chosen = secure.isEmpty ? found : secure
        let list = chosen.flatMap(\.list)
        if let first = chosen.first {
            if let loop = self.loop(through: list) { return .skip(loop, LookupState(first.state)) }
            let aliases = chosen.map(\.aliases).first { !$0.isEmpty } ?? []
            return .use(
                HostAddresses(
                    question: first.question, list: self.used(chosen), state: first.state, aliases: aliases))
        }
        let bogus = failures.first { if case .dnssecInvalid = $0 { true } else { false } }
        guard let failure = bogus ?? failures.first else { return .denied(unproven) }
        return .skip(failure, bogus == nil ? .failed : .bogus)
    }

    /// Both families are denied. Of what the operator named we cannot say that it was never there, nor of half an answer.
    private var absent: RouteFailure {
        switch self.origin {
        case .mx where self.planning.policy.families == .both: .noSuchHost(self.name)
        case .mx, .implicitMX, .configured: .noAddress(self.name)
        }
    }

    /// Why an MX host at these addresses must not be used: it is this system (RFC 5321 §5.1), or nowhere. What the operator
    /// configured is the operator's word.
    private func loop(through addresses: [IPAddress]) -> RouteFailure? {
        if case .configured = self.origin { return nil }
        if addresses.contains(where: self.planning.policy.isOurs) { return .routingLoop(self.name) }
        return self.remote(addresses).isEmpty ? .loopback(self.name) : nil
    }

    /// The addresses that may be tried, of each family the first. Neither has less than half of what is allowed while
    /// it has more, since we may reach hosts over one of them only.
    private func used(_ families: [HostAddresses]) -> [IPAddress] {
        let limit = self.planning.policy.limits.addressesPerHost
        let lists = families.map { self.remote($0.list) }
        let total = lists.reduce(0) { $0 + $1.count }
        return lists.flatMap { $0.prefix(max(limit / lists.count, limit - (total - $0.count))) }
    }

    private func remote(_ addresses: [IPAddress]) -> [IPAddress] {
        if case .configured = self.origin { return addresses }
        return addresses.filter(self.planning.policy.mayBeRemote)
    }

    /// The names at which TLSA records may stand, in order (RFC 7672 §2.2.2); none where DANE cannot apply.
    private func baseDomains(_ addresses: HostAddresses, _ answers: [DNSQuestion: DNSAnswer]) -> BaseDomainOutcome {
        switch self.origin {
        case .implicitMX(.insecure, _, _): return .candidates([])
        case .mx(.insecure, _, _) where self.planning.policy.insecureMX == .ignore: return .candidates([])
        case .mx, .implicitMX, .configured: break
        }
        if addresses.state == .secure {
            let expanded = addresses.aliases.last
            return .candidates(expanded.map { $0 == self.name ? [$0] : [$0, self.name] } ?? [self.name])
        }
        guard !addresses.aliases.isEmpty else { return self.withoutDANE(addresses, answers) }
        // A secure alias into an insecure zone: its own name may still have TLSA records (rule 4).
        let question = DNSQuestion(self.name, .cname)
        switch answers[question] {
        case nil: return .ask([question])
        case .found(_, .secure, _): return .candidates([self.name])
        case .found(_, .insecure, _), .absent: return self.withoutDANE(addresses, answers)
        case .failed(let failure): return .skip(failure.blameDNSSEC(question))
        }
    }

    /// Insecure addresses mean that DANE cannot apply, and no more is asked (rule 1). They may be as surprising as an
    /// insecure TLSA answer below secure addresses. They are so only where the host stands in the secure domain whose
    /// MX it is (rule 12a).
    private func withoutDANE(
        _ addresses: HostAddresses, _ answers: [DNSQuestion: DNSAnswer]
    ) -> BaseDomainOutcome {
        guard self.isInSecureDomain else { return .candidates([]) }
        let question = addresses.question
        switch self.proof(of: question, addresses.aliases).step(answers) {
        case .ask(let questions): return .ask(questions)
        case .proven: return .candidates([])
        case .failed(let failure): return .skip(failure)
        }
    }
}
