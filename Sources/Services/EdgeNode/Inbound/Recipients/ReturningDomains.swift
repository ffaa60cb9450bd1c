import Logging
import MailModel
import RelayConfiguration
import Routing
import SMTPProtocol
import SecureResolver
import ServiceSupport
import Synchronization

/// Accepted domains whose mail would come back to this node.
///
/// Where no next hop is named, the MX record of the domain decides, and the best MX is often the very node that takes the mail
/// in. Such mail would be accepted and then bounced with 5.4.6 (RFC 5321 §5.1). A next hop that is named may have an address of
/// this node, too, and mail to it would go round until it has too many Received fields. What is known at the start stops it
/// (`ownNextHops`); what the DNS says is asked for each recipient, and by `config check --dns`.
final class ReturningDomains: Sendable {
    /// The most domains that `warnings` looks up.
    static let mostDomains = 500
    /// Those looked up at once.
    private static let atOnce = 20
    /// The most time for an answer about a recipient. Without one it is accepted.
    private static let answerTime = Duration.seconds(10)
    /// How often it is logged that recipients are refused.
    private static let sayingPause = Duration.seconds(60)

    private let configuration: RelaydConfiguration
    private let domains: Replaceable<[DomainName: AcceptedDomainSettings]>
    private let interfaces: [IPAddress]
    private let routes: RouteFinder
    private let logger: Logger
    private let lastSaid = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter interfaces: the addresses of this machine, which a listener on all of them covers.
    init(
        _ configuration: RelaydConfiguration, resolver: SecureResolver, interfaces: [IPAddress], logger: Logger
    ) {
        self.configuration = configuration
        self.domains = Replaceable(Self.byName(configuration.acceptedDomains))
        self.interfaces = interfaces
        self.routes = RouteFinder(
            resolver: resolver, policy: configuration.routePolicy(interfaces: interfaces), watch: .none)
        self.logger = logger
    }

    /// Looks at these domains from now on: those of a reload.
    func follow(_ domains: [AcceptedDomainSettings]) { self.domains.replace(with: Self.byName(domains)) }

    private static func byName(_ domains: [AcceptedDomainSettings]) -> [DomainName: AcceptedDomainSettings] {
        Dictionary(domains.map { ($0.domain, $0) }) { first, _ in first }
    }

    /// What a client is told of a recipient whose mail would come back.
    static let comesBack = SMTPReply(
        451, EnhancedStatusCode(.persistentTransientFailure, 4, 6),
        "Mail for this domain would come back to this host, try later")

    /// The refusal of recipients of a domain whose mail would come back; `nil` where it would not, or nobody can say in time.
    func refusal(of domain: DomainName) async -> SMTPReply? {
        guard let domain = self.domains.current[domain] else { return nil }
        let isReturning = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.isReturning(domain) }
            group.addTask {
                try? await Task.sleep(for: Self.answerTime)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        guard isReturning else { return nil }
        self.say(domain)
        return Self.comesBack
    }

    /// A warning for each of them, as far as they are looked up.
    func warnings(_ loaded: LoadedConfiguration) async -> [ConfigurationProblem] {
        let domains = self.configuration.acceptedDomains.enumerated().filter { $1.nextHop?.address == nil }
        var found: [Int] = []
        await withTaskGroup(of: Int?.self) { group in
            for (count, (index, domain)) in domains.prefix(Self.mostDomains).enumerated() {
                // One more begins when one has ended.
                if count >= Self.atOnce, let returning = await group.next() { found += [returning].compactMap(\.self) }
                group.addTask { await self.isReturning(domain) ? index : nil }
            }
            for await returning in group { found += [returning].compactMap(\.self) }
        }
        return found.sorted().map { index in
            let domain = self.configuration.acceptedDomains[index]
            return loaded.problem(with: "accepted-domains", element: "[\(index)]", Self.words(domain))
        }
    }

    private static func words(_ domain: AcceptedDomainSettings) -> String {
        let cause =
            domain.nextHop.map {
                "\($0.settingText), the next-hop of \(domain.domain), has the address of a listener of this node"
            } ?? "\(domain.domain) has no next-hop, and its best mail exchanger is this node"
        return """
            \(cause): recipients of it are refused with 451 4.4.6, since mail would come back; set next-hop to the server \
            that holds the mailboxes
            """
    }

    private func say(_ domain: AcceptedDomainSettings) {
        let isNews = self.lastSaid.withLock { last in
            if let last, ContinuousClock.now - last < Self.sayingPause { return false }
            last = .now
            return true
        }
        if isNews { self.logger.warning("accepted-domains: \(Self.words(domain))") }
    }

    /// Whether the way of a domain's mail leads to this node; `false` where it leads elsewhere, or cannot be found now.
    private func isReturning(_ domain: AcceptedDomainSettings) async -> Bool {
        let nextHop = domain.nextHop ?? .domain(domain.domain, port: self.configuration.delivery.port)
        switch await self.routes.route(to: nextHop) {
        case .failure(let reason): return reason.isReturning
        case .success(var route):
            switch await route.next() {
            case .failure(let reason): return reason.isReturning
            case .success(let host):
                return host.failure?.isReturning ?? host.addresses.contains { self.isOwn($0, host.port, domain) }
            case nil: return false
            }
        }
    }

    /// Routing takes the operator's word for a named next hop. This does not.
    private func isOwn(_ address: IPAddress, _ port: UInt16, _ domain: AcceptedDomainSettings) -> Bool {
        guard domain.nextHop != nil else { return false }
        return self.configuration.listener(at: .address(address, port: port), interfaces: self.interfaces) != nil
    }
}

extension NoRoute {
    fileprivate var isReturning: Bool { if case .failed(let failure) = self { failure.isReturning } else { false } }
}

extension RouteFailure {
    fileprivate var isReturning: Bool { if case .routingLoop = self { true } else { false } }
}
