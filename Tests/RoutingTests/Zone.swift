import DNSModel
import MailModel
import Routing
import TestLiterals

/// The DNS as one resolver sees it, written as the few answers that matter to a story.
///
/// Records are secure unless they say otherwise. What is not written down is securely absent. But a host named by an MX
/// has a secure A record, `192.0.2.1`, unless the story says something about its A. Hosts have no AAAA.
struct Zone {
    private(set) var answers: [DNSQuestion: DNSAnswer] = [:]

    init(@ZoneBuilder _ entries: () -> [Entry]) {
        for entry in entries() { self.answers[entry.question] = entry.answer }
    }

    struct Entry {
        let question: DNSQuestion
        let answer: DNSAnswer

        init(_ type: DNSQuestion.RecordType, _ name: DomainName, _ answer: DNSAnswer) {
            self.question = DNSQuestion(name, type)
            self.answer = answer
        }
    }

    /// Answers `question`, with the defaults described above.
    func answer(_ question: DNSQuestion) -> DNSAnswer {
        if let answer = self.answers[question] { return answer }
        let exchangers = self.answers.values.flatMap(\.records).compactMap { record in
            if case .mx(_, let exchange) = record { exchange } else { nil }
        }
        guard question.type == .a, exchangers.contains(question.name) else { return .absent(.noData, .secure) }
        return .found([.address(.v4(0xC000_0201))], .secure)
    }
}

@resultBuilder
enum ZoneBuilder {
    static func buildBlock(_ entries: Zone.Entry...) -> [Zone.Entry] { entries }
}

// MARK: - The words of the fixture language

func MX(
    _ domain: DomainName, _ exchanges: DomainName..., state: DNSSECState = .secure, via aliases: [DomainName] = []
) -> Zone.Entry {
    let records = exchanges.enumerated().map { DNSRecord.mx(preference: UInt16($0 * 10), exchange: $1) }
    return .init(.mx, domain, .found(records, state, aliases: aliases))
}

func A(
    _ host: DomainName, _ addresses: String = "192.0.2.1", state: DNSSECState = .secure, via aliases: [DomainName] = []
) -> Zone.Entry { .init(.a, host, .found([.address(.literal(addresses))], state, aliases: aliases)) }

func AAAA(_ host: DomainName, _ address: String = "2001:db8::1", state: DNSSECState = .secure) -> Zone.Entry {
    .init(.aaaa, host, .found([.address(.literal(address))], state))
}

func TLSA(
    _ host: DomainName, _ records: TLSARecord..., port: Int = 25, state: DNSSECState = .secure,
    via aliases: [DomainName] = []
) -> Zone.Entry {
    .init(.tlsa, .tlsa(host, port: port), .found(records.map(DNSRecord.tlsa), state, aliases: aliases))
}

func CNAME(_ name: DomainName, _ target: DomainName, state: DNSSECState = .secure) -> Zone.Entry {
    .init(.cname, name, .found([.alias(target)], state))
}

func Absent(
    _ type: DNSQuestion.RecordType, _ name: DomainName, _ absence: DNSAbsence = .noData,
    state: DNSSECState = .secure, via aliases: [DomainName] = []
) -> Zone.Entry { .init(type, name, .absent(absence, state, aliases: aliases)) }

/// A delegation without DS, shown by a signed denial, or by one that leaves such delegations out.
func UnsignedDelegation(_ name: DomainName, state: DNSSECState = .secure) -> Zone.Entry {
    .init(.ds, name, .absent(.unsignedDelegation, state))
}

func DS(_ name: DomainName, algorithm: UInt8 = 13, digestType: UInt8 = 2) -> Zone.Entry {
    .init(.ds, name, .found([.delegationSigner(algorithm: algorithm, digestType: digestType)], .secure))
}

func Fail(_ type: DNSQuestion.RecordType, _ name: DomainName, _ failure: DNSFailure) -> Zone.Entry {
    .init(type, name, .failed(failure))
}

// MARK: - Planning on a zone

extension Zone {
    /// A finished plan and every question that it took.
    struct Run {
        var noRoute: NoRoute?
        var hosts: [PlannedHost] = []
        var rounds: [Set<DNSQuestion>] = []

        var asked: Set<DNSQuestion> { self.rounds.reduce(into: []) { $0.formUnion($1) } }
        func asked(_ type: DNSQuestion.RecordType) -> Set<DomainName> {
            Set(self.asked.filter { $0.type == type }.map(\.name))
        }
    }

    /// Plans for `nextHop` and looks up every host, as if none took the mail.
    func plan(_ nextHop: NextHop = .domain("example.org"), policy: RoutePolicy = RoutePolicy()) -> Run {
        let planning = RoutePlanning(to: nextHop, policy: policy)
        var run = Run()
        var known: [DNSQuestion: DNSAnswer] = [:]
        while true {
            switch planning.step(known) {
            case .none(let reason):
                run.noRoute = reason
                return run
            case .host(let host):
                run.hosts = [host]
                return run
            case .hosts(let hosts):
                var generator = InOrder()
                self.look(up: MXOrder(hosts, using: &generator), &run)
                return run
            case .ask(let questions):
                run.rounds.append(questions)
                for question in questions { known[question] = self.answer(question) }
            }
        }
    }

    private func look(up mxOrder: MXOrder, _ run: inout Run) {
        var mxOrder = mxOrder
        while let next = mxOrder.next() {
            switch self.look(up: next, &run) {
            case .success(let host):
                run.hosts.append(host)
                mxOrder.planned(host)
            case .failure(let reason): run.noRoute = reason
            }
        }
    }

    /// Answers each round of one host; more than fifteen are a loop.
    private func look(up host: HostPlanning, _ run: inout Run) -> Result<PlannedHost, NoRoute> {
        var known: [DNSQuestion: DNSAnswer] = [:]
        for _ in 0..<15 {
            switch host.step(known, parses: { $0.associationData.first == 0x30 }) {
            case .planned(let planned): return .success(planned)
            case .none(let reason): return .failure(reason)
            case .ask(let questions):
                run.rounds.append(questions)
                for question in questions { known[question] = self.answer(question) }
            }
        }
        return .failure(.failed(.overLimit(DNSQuestion("too.many.rounds", .mx), count: run.rounds.count)))
    }

    /// The one MX host of `example.org`, or the host of that name.
    func host(_ name: DomainName = "mx.example.org", policy: RoutePolicy = RoutePolicy()) -> PlannedHost? {
        self.plan(policy: policy).hosts.first { $0.name == name }
    }
}

extension DNSAnswer {
    var records: [DNSRecord] { if case .found(let records, _, _) = self { records } else { [] } }
}

/// A generator with which nothing changes its place: scaled to any range, its number is 0. (Not 0 itself, which is drawn anew
/// for some ranges, and would be for ever.)
struct InOrder: RandomNumberGenerator {
    mutating func next() -> UInt64 { 1 }
}
