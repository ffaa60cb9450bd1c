import DANE
import DNSModel
import MailModel
import Routing
import SMTPProtocol
import TestLiterals
import TransportSecurity

@testable import Delivery

/// The DNS of `bravo.test` and its hosts as they are at one moment, written as the few things that matter to a story.
///
/// What it makes of an attempt is the product's: planning asks the DNS, the requirement decides about each host, and the
/// report sums up. Hosts have an A record, and take the mail, unless the story says otherwise.
struct RecipientWorld {
    /// What a host does when it is its turn.
    enum Host {
        /// Takes the mail, over TLS, with the key of its TLSA records if it has any.
        case takes
        /// Answers these, recipient by recipient.
        case answers([AttemptOutcome])
        /// Shows another key than its TLSA records say.
        case showsOtherKey
        case offersNoTLS
        case refusesConnection
        /// Greets with this.
        case greets(RemoteReply)
    }

    /// MX hosts in order; empty where the look-up has another answer.
    private let exchangers: [DomainName]
    private let hosts: [DomainName: Host]
    private var answers: [DNSQuestion: DNSAnswer]

    private static let domain: DomainName = "bravo.test"
    private static let record = TLSARecord(
        usage: .daneEE, selector: .spki, matchingType: .sha256, associationData: Array(repeating: 7, count: 32))

    /// Hosts in order of preference; all of them with TLSA records if `isSigned`, else in an unsigned zone.
    init(
        _ hosts: KeyValuePairs<DomainName, Host>, isSigned: Bool = true, without answers: [DNSQuestion: DNSAnswer] = [:]
    ) {
        let state: DNSSECState = isSigned ? .secure : .insecure
        self.exchangers = hosts.map(\.key)
        self.hosts = Dictionary(uniqueKeysWithValues: hosts.map { ($0.key, $0.value) })
        self.answers = [
            DNSQuestion(Self.domain, .mx): .found(
                hosts.enumerated().map { .mx(preference: UInt16($0), exchange: $1.key) }, state)
        ]
        for name in self.exchangers {
            self.answers[DNSQuestion(name, .a)] = .found([.address(.v4(0xC000_0201))], state)
            self.answers[DNSQuestion(name, .aaaa)] = .absent(.noData, state)
            guard isSigned, let owner = name.prefixed(by: "_25._tcp") else { continue }
            self.answers[DNSQuestion(owner, .tlsa)] = .found([.tlsa(Self.record)], .secure)
        }
        self.answers.merge(answers) { $1 }
    }

    /// What an attempt comes to now.
    func attempt(recipients: Int = 1) -> AttemptReport {
        var progress = AttemptProgress(recipients: recipients)
        switch self.route {
        case .failure(let reason): progress.tried(HostAttempt(reason, duration: .zero))
        case .success(var mxOrder):
            while !progress.isOver, let next = mxOrder.next() {
                progress.tried(self.tryHost(next, &mxOrder, recipients: recipients))
            }
        }
        return AttemptReport(tries: progress.tries, recipients: recipients)
    }

    // MARK: - Looking up

    private var route: Result<MXOrder, NoRoute> {
        let planning = RoutePlanning(to: .domain(Self.domain))
        var known: [DNSQuestion: DNSAnswer] = [:]
        while true {
            switch planning.step(known) {
            case .ask(let questions):
                for question in questions { known[question] = self.answers[question] ?? .absent(.noData, .secure) }
            case .none(let reason): return .failure(reason)
            case .hosts(let hosts):
                var generator = SystemRandomNumberGenerator()
                return .success(MXOrder(hosts, using: &generator))
            case .host: preconditionFailure("a story has no configured address")
            }
        }
    }

    private func tryHost(_ next: HostPlanning, _ mxOrder: inout MXOrder, recipients: Int) -> HostAttempt {
        var known: [DNSQuestion: DNSAnswer] = [:]
        while true {
            switch next.step(known, parses: { _ in true }) {
            case .ask(let questions):
                for question in questions { known[question] = self.answers[question] ?? .absent(.noData, .secure) }
            case .none(let reason): return HostAttempt(reason, duration: .zero)
            case .planned(let host):
                mxOrder.planned(host)
                return self.tryHost(host, recipients: recipients)
            }
        }
    }

    // MARK: - Connecting

    private func tryHost(_ host: PlannedHost, recipients: Int) -> HostAttempt {
        var attempt = HostAttempt(host: host)
        let behaviour = host.name.flatMap { self.hosts[$0] } ?? .takes
        switch AttemptRequirement.of(host, by: .opportunistic) {
        case .failure(let skipped): attempt.failure = HostFailure(skipped.reason)
        case .success(let requirement):
            attempt.address = host.addresses.first
            if case .greets(let reply) = behaviour {
                attempt.failure = HostFailure(.greetingRefused(reply))
                return attempt
            }
            switch requirement.decide(Self.event(behaviour, host)) {
            case .nextHost(let failure): attempt.failure = HostFailure(failure)
            case .deliver(let label):
                attempt.established = Established(label: label)
                attempt.outcomes = Self.outcomes(behaviour, recipients)
            case .retrySameHost:
                preconditionFailure("no story has a failing handshake")
            }
        }
        return attempt
    }

    private static func event(_ behaviour: Host, _ host: PlannedHost) -> AttemptEvent {
        switch behaviour {
        case .refusesConnection: return .connectionFailed(.connectionRefused)
        case .offersNoTLS: return .startTLSUnavailable
        case .showsOtherKey: return .handshakeFailed(.noRecordMatched)
        case .takes, .answers, .greets:
            guard case .authenticate(let wanted) = host.requirement else { return .established(.none) }
            return .established(
                .dane(
                    DANEAuthenticatedPeer(
                        matched: Self.record, baseDomain: wanted.baseDomain, matchedName: wanted.baseDomain.name)))
        }
    }

    private static func outcomes(_ behaviour: Host, _ recipients: Int) -> [Int: AttemptOutcome] {
        var outcomes = Array(repeating: AttemptOutcome.accepted(.accepted), count: recipients)
        if case .answers(let given) = behaviour { outcomes = given }
        return Dictionary(uniqueKeysWithValues: outcomes.enumerated().map { ($0, $1) })
    }
}
