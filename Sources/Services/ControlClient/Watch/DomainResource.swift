package import Admission
import ClusterModel
import ControlAPI
package import Cryptography
package import MailModel
import Routing
import TransportSecurity

/// A domain as a controller has it, with its list aside.
package struct DomainResource: Sendable {
    package let name: DomainName
    /// All but the list.
    package let accepted: AcceptedDomain
    /// How many parts the domain's list has; `nil` without a list.
    package let listParts: Int?
    /// The authorities that its demand names.
    package let authorities: NamedAuthorities?

    init(_ domain: ControlDomain, _ key: ResourceKey) throws(ResourceFault) {
        guard domain.name == key.name, let name = DomainName(domain.name), name.text == domain.name else {
            throw ResourceFault(key, "\(domain.name) is not a domain in A-labels and lower case")
        }
        let nextHop = domain.hasNextHop ? try NextHop(domain.nextHop, key) : nil
        let demand = try TransportDemand(domain.transport, key, nextHop: nextHop)
        var accepted = AcceptedDomain(nextHop: nextHop)
        accepted.demands = DestinationDemands(
            transport: demand.policy, usesChunking: domain.hasChunking ? domain.chunking : nil)
        switch domain.recipientVerification {
        case .unspecified, .none: self.listParts = nil
        case .callout:
            accepted.verification = .callAhead
            self.listParts = nil
        case .list:
            guard (1...ReadResource.mostParts).contains(domain.recipientListParts) else {
                throw ResourceFault(key, "its list of recipients has \(domain.recipientListParts) parts")
            }
            self.listParts = Int(domain.recipientListParts)
        case .UNRECOGNIZED(let number):
            throw ResourceFault(key, "this program does not know recipient verification \(number)")
        }
        self.name = name
        self.accepted = accepted
        self.authorities = demand.authorities
    }
}

/// Authorities under a name that only they have.
package struct NamedAuthorities: Sendable {
    package let name: String
    package let certificates: [Certificate]

    /// Reads them from PEM. The name tells their content, so that no session of other authorities counts for these.
    init(pem: String) throws(CryptographyError) {
        self.certificates = try Certificate.readAll(pem: Array(pem.utf8))
        let digest = Digests.sha256(self.certificates.flatMap { Digests.sha256($0.value.der) })
        self.name = "sha256:" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// What is demanded of the hosts of a destination.
struct TransportDemand {
    /// `nil` where nothing is stated.
    let policy: TransportPolicy?
    let authorities: NamedAuthorities?

    init(
        _ demand: ControlTransportDemand, _ key: ResourceKey, nextHop: NextHop? = nil
    ) throws(ResourceFault) {
        guard demand.mode == .verify else {
            self.authorities = nil
            switch demand.mode {
            case .unspecified: self.policy = nil
            case .opportunistic: self.policy = .opportunistic
            case .encrypt: self.policy = .encrypt
            case .dane: self.policy = .dane
            case .verify, .UNRECOGNIZED:
                throw ResourceFault(key, "this program does not know transport mode \(demand.mode.rawValue)")
            }
            return
        }
        let host: DomainName? = if case .host(let name, _) = nextHop { name } else { nil }
        guard let name = demand.verifiedName.isEmpty ? host : DomainName(demand.verifiedName) else {
            throw ResourceFault(key, "certificates are to be verified for \"\(demand.verifiedName)\", which is no name")
        }
        do {
            self.authorities = demand.authoritiesPem.isEmpty ? nil : try NamedAuthorities(pem: demand.authoritiesPem)
        } catch {
            throw ResourceFault(key, "authorities: \(error.message)")
        }
        self.policy = .verify(
            CertificateVerification(name: name, authorities: self.authorities.map { .file($0.name) } ?? .system))
    }
}

extension NextHop {
    fileprivate init(_ hop: ControlNextHop, _ key: ResourceKey) throws(ResourceFault) {
        guard let port = UInt16(exactly: hop.port == 0 ? 25 : hop.port) else {
            throw ResourceFault(key, "its next hop has port \(hop.port), and ports go up to 65535")
        }
        switch hop.target {
        case .host(let text):
            // A last label of digits is that of an address.
            guard let name = DomainName(text), name.labels.last.map({ Int($0) == nil }) ?? false else {
                throw ResourceFault(key, "its next hop \(text) is not a host name")
            }
            self = .host(name, port: port)
        case .address(let text):
            guard let address = IPAddress(text) else {
                throw ResourceFault(key, "its next hop \(text) is not an address")
            }
            self = .address(address, port: port)
        case nil: throw ResourceFault(key, "its next hop is neither a host nor an address")
        }
    }
}
