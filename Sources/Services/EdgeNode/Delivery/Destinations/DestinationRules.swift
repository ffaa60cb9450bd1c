import DeliveryQueue
import MailModel
import TransportSecurity

/// What the operator demands of deliveries to some recipient domains: of TLS, and of BDAT.
///
/// It goes by recipient domain and not by mail exchanger, for which host is one is the DNS's word, which may be forged.
struct DestinationRules: Hashable, Sendable {
    /// What is stated; `nil` is left to others to state.
    struct Demands: Hashable, Sendable {
        var transport: TransportPolicy?
        var usesChunking: Bool?
    }

    /// Nothing is demanded of some domains until then, whatever DANE says.
    struct Exception: Hashable, Sendable {
        let domains: DomainPattern
        let until: Timestamp
    }

    /// Those of accepted domains come first.
    var acceptedDomains: [DomainName: Demands] = [:]
    /// Of those that match, the first counts.
    var rules: [PatternRule<Demands>] = []
    /// They come before everything.
    var exceptions: [Exception] = []

    /// What is demanded of hosts for this domain now.
    func transport(to domain: DomainName, at now: Timestamp) -> TransportPolicy {
        if self.exceptions.contains(where: { now < $0.until && $0.domains.matches(domain) }) { return .excepted }
        return self.acceptedDomains[domain]?.transport ?? self.rules.first(about: domain)?.transport ?? .opportunistic
    }

    /// Whether content for this domain may go by BDAT; `nil` where nothing is stated.
    func usesChunking(to domain: DomainName) -> Bool? {
        self.acceptedDomains[domain]?.usesChunking ?? self.rules.first(about: domain)?.usesChunking
    }
}
