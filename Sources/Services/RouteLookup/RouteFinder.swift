import Cryptography
import DANE
package import DNSModel
package import MailModel
package import Routing
package import SecureResolver
import ServiceSupport

/// Who is told how look-ups end, and says whose fault it is when they fail.
package struct LookupWatch: Sendable {
    /// One for this next hop went well. It is said for each message, and must not wait.
    package var succeeded: @Sendable (NextHop) -> Void
    /// One failed, as bogus or otherwise: whether our own resolver does not work (rule 38).
    package var isOurFault: @Sendable (NextHop, Bool) async -> Bool

    /// Answers whoever waits for that.
    package var whenClosed: @Sendable () async -> Void

    package init(
        succeeded: @escaping @Sendable (NextHop) -> Void,
        isOurFault: @escaping @Sendable (NextHop, Bool) async -> Bool,
        whenClosed: @escaping @Sendable () async -> Void = {}
    ) {
        self.succeeded = succeeded
        self.isOurFault = isOurFault
        self.whenClosed = whenClosed
    }

    /// Nobody watches, and nothing is our fault.
    package static let none = LookupWatch(succeeded: { _ in }, isOurFault: { _, _ in false })
}

/// Says where mail goes, and what the hosts there owe.
package protocol RouteSource: Sendable {
    /// The route to a next hop, or why there is none.
    func route(to nextHop: NextHop) async -> Result<Route, NoRoute>
    /// Whether a host is still what it was planned as, for a connection to `address`.
    func confirms(_ host: PlannedHost, at address: IPAddress, for nextHop: NextHop) async -> Bool
    /// Asks for the TLSA records of a host past the caches, after they did not match what it showed at `address`.
    func renewed(
        _ host: PlannedHost, at address: IPAddress, for nextHop: NextHop
    ) async -> RouteFinder.TLSARenewal
    /// Ends all look-ups, and makes none any more.
    func close() async
}

/// Finds routes: asks the resolver what planning wants to know, a host at a time.
package struct RouteFinder: RouteSource {
    /// The most rounds of questions for all destinations together that have just begun. A round is two questions at the most.
    package static let roundsAtOnce = 1_000
    /// A round that has not ended by then gives its slot to others, and goes on: silent name servers must not keep healthy
    /// domains waiting. How many go on is bounded by the resolver (`SecureResolverSettings.concurrentQueries`).
    package static let roundsTime = Duration.milliseconds(250)

    private let resolver: SecureResolver
    private let policy: RoutePolicy
    private let watch: LookupWatch
    private let time: any NodeClock
    private let random: RandomSource
    private let rounds = FairBudget<NextHop>(Self.roundsAtOnce)

    package init(
        resolver: SecureResolver, policy: RoutePolicy, watch: LookupWatch, time: any NodeClock, random: RandomSource
    ) {
        self.time = time
        self.random = random
        self.resolver = resolver
        self.policy = policy
        self.watch = watch
    }

    /// Ends all look-ups, and makes none any more: whoever waits hears that it was no fault of the domain's.
    package func close() async {
        self.resolver.refuse()
        await self.watch.whenClosed()
    }

    /// The route to a next hop, or why there is none.
    package func route(to nextHop: NextHop) async -> Result<Route, NoRoute> {
        let planning = RoutePlanning(to: nextHop, policy: self.policy)
        var answers: [DNSQuestion: DNSAnswer] = [:]
        while true {
            switch planning.step(answers) {
            case .ask(let questions): answers.merge(await self.answers(to: questions, for: nextHop)) { _, new in new }
            case .host(let host): return .success(Route(to: host))
            case .hosts(let hosts):
                var generator = self.random
                return .success(Route(MXOrder(hosts, using: &generator), to: nextHop, finder: self))
            case .none(let reason): return .failure(reason)
            }
        }
    }

    /// Whether a host is still what it was planned as, for a connection to `address`. The resolver answers from its cache while the
    /// records live, and asks for those whose TTL is over.
    package func confirms(_ host: PlannedHost, at address: IPAddress, for nextHop: NextHop) async -> Bool {
        guard case .success(let route) = await self.route(to: nextHop), let later = await route.host(host.name) else {
            return false
        }
        return host.isConfirmed(by: later, at: address)
    }

    /// What asking anew for the TLSA records of a host came to.
    package enum TLSARenewal {
        /// They demand something else now.
        case changed(PlannedHost)
        case same
        /// They came from the cache and stay there, until then if that is known.
        case kept(until: Timestamp?)
    }

    /// Asks for the TLSA records of a host past the caches, after they did not match what it showed at `address`.
    package func renewed(_ host: PlannedHost, at address: IPAddress, for nextHop: NextHop) async -> TLSARenewal {
        guard let base = host.tlsa?.baseDomain, let owner = base.name.prefixed(by: "_\(base.port)._tcp") else {
            return .same
        }
        if case .kept(let end) = await self.resolver.renew(DNSQuestion(owner, .tlsa)) { return .kept(until: end) }
        guard case .success(let route) = await self.route(to: nextHop), let later = await route.host(host.name),
            later.failure == nil, !host.isConfirmed(by: later, at: address)
        else { return .same }
        return .changed(later)
    }

    /// All that leads to the hosts of a next hop and says what they must prove, as far as the cache knows it.
    package func questions(to nextHop: NextHop) -> Set<DNSQuestion> {
        let planning = RoutePlanning(to: nextHop, policy: self.policy)
        var known = CachedAnswers(resolver: self.resolver)
        while true {
            switch planning.step(known.answers) {
            case .ask(let questions):
                guard known.look(for: questions) else { return known.asked }
            case .hosts(let hosts):
                for host in hosts {
                    // What the records hold decides about no further question.
                    while case .ask(let questions) = host.step(known.answers, parses: { _ in true }) {
                        guard known.look(for: questions) else { break }
                    }
                }
                return known.asked
            case .host, .none: return known.asked
            }
        }
    }

    /// Looks one host up. Takes three rounds, each as long as the resolver's deadline at most. An insecure answer that
    /// needs its proof takes more, of which each comes only after a round that was answered.
    fileprivate func plan(_ host: HostPlanning, for nextHop: NextHop) async -> Result<PlannedHost, NoRoute> {
        var answers: [DNSQuestion: DNSAnswer] = [:]
        while true {
            switch host.step(answers, parses: TLSAContent.parses) {
            case .ask(let questions): answers.merge(await self.answers(to: questions, for: nextHop)) { _, new in new }
            case .planned(let planned): return .success(planned)
            case .none(let reason): return .failure(reason)
            }
        }
    }

    private func answers(to questions: Set<DNSQuestion>, for nextHop: NextHop) async -> [DNSQuestion: DNSAnswer] {
        // What the cache knows takes no slot, and needs no timer.
        if let known = self.resolver.known(questions) {
            self.watch.succeeded(nextHop)
            return known
        }
        guard await self.rounds.acquire(for: nextHop) else {
            // Nobody waits for the answers any more.
            return Dictionary(uniqueKeysWithValues: questions.map { ($0, .failed(.resolverUnavailable("cancelled"))) })
        }
        return await withTaskGroup { group in
            // Ends by itself as soon as the answers are there.
            group.addTask { () -> (DNSQuestion, DNSAnswer)? in
                try? await self.time.sleep(for: Self.roundsTime)
                self.rounds.release(nextHop)
                return nil
            }
            for question in questions {
                group.addTask { (question, await self.answer(to: question, for: nextHop)) }
            }
            var answers: [DNSQuestion: DNSAnswer] = [:]
            while answers.count < questions.count, let next = await group.next() {
                if let (question, answer) = next { answers[question] = answer }
            }
            group.cancelAll()
            return answers
        }
    }

    /// A failure of ours is not held against the domain.
    private func answer(to question: DNSQuestion, for nextHop: NextHop) async -> DNSAnswer {
        let answer = await self.resolver.answer(to: question)
        guard case .failed(let failure) = answer else {
            self.watch.succeeded(nextHop)
            return answer
        }
        guard failure.mayBeOurs, await self.watch.isOurFault(nextHop, failure.isBogus) else { return answer }
        return .failed(.resolverUnavailable("our own resolver does not work at present"))
    }
}

/// What planning would ask, and what the cache says to it.
private struct CachedAnswers {
    let resolver: SecureResolver
    private(set) var asked: Set<DNSQuestion> = []
    private(set) var answers: [DNSQuestion: DNSAnswer] = [:]

    init(resolver: SecureResolver) { self.resolver = resolver }

    /// Notes the questions. Whether there is an answer to each.
    mutating func look(for questions: Set<DNSQuestion>) -> Bool {
        self.asked.formUnion(questions)
        for question in questions { self.answers[question] = self.resolver.cached(question) }
        return questions.allSatisfy { self.answers[$0] != nil }
    }
}

extension DNSFailure {
    fileprivate var isBogus: Bool { if case .bogus = self { true } else { false } }

    /// A resolver that reaches nobody, or has a wrong clock or anchor, fails like this too.
    fileprivate var mayBeOurs: Bool {
        switch self {
        case .bogus, .serverFailure, .refused, .unexpectedResponse, .timeout: true
        case .tooManyAliases, .malformed, .excessive, .resolverUnavailable: false
        }
    }
}

/// The hosts of one next hop, each looked up when its turn comes.
package struct Route: Sendable {
    private enum Ahead {
        case host(PlannedHost)
        case hosts(MXOrder, NextHop, RouteFinder)
        case nothing
    }

    private var ahead: Ahead

    /// A route to one host that is known.
    package init(to host: PlannedHost) { self.ahead = .host(host) }

    fileprivate init(_ mxOrder: MXOrder, to nextHop: NextHop, finder: RouteFinder) {
        self.ahead = .hosts(mxOrder, nextHop, finder)
    }

    /// The next host, or that the domain turns out to have none; `nil` at the end.
    package mutating func next() async -> Result<PlannedHost, NoRoute>? {
        switch self.ahead {
        case .nothing: return nil
        case .host(let host):
            self.ahead = .nothing
            return .success(host)
        case .hosts(var mxOrder, let nextHop, let finder):
            guard let next = mxOrder.next() else { return nil }
            let found = await finder.plan(next, for: nextHop)
            if case .success(let host) = found { mxOrder.planned(host) }
            self.ahead = .hosts(mxOrder, nextHop, finder)
            return found
        }
    }

    /// The host of this name, looked up out of its turn; `nil` where there is none, or none any more.
    fileprivate func host(_ name: DomainName?) async -> PlannedHost? {
        switch self.ahead {
        case .nothing: return nil
        case .host(let host): return host.name == name ? host : nil
        case .hosts(let mxOrder, let nextHop, let finder):
            guard let planning = mxOrder.planning(of: name) else { return nil }
            return try? await finder.plan(planning, for: nextHop).get()
        }
    }

    /// All mail exchangers, tried or not; empty for an address that was configured.
    package var hostNames: [DomainName] {
        if case .hosts(let mxOrder, _, _) = self.ahead { mxOrder.hostNames } else { [] }
    }
}
