package import Admission
import ClusterModel
import ControlAPI
import DeliveryQueue
package import MailModel
package import NodeState
import SwiftProtobuf
import TransportSecurity

/// The settings of the fleet, as a controller has them.
package struct FleetResource: Sendable {
    /// The name of the one resource of its type.
    static let name = "fleet"

    package let relayNetworks: [CIDRBlock]
    package let postmaster: Mailbox?
    package let destinations: DestinationRules
    package let authorities: [NamedAuthorities]
    package let requiresCertificate: Bool

    init(_ settings: ControlFleetSettings, _ key: ResourceKey) throws(ResourceFault) {
        guard key.name == Self.name else { throw ResourceFault(key, "the settings have the name \(Self.name)") }
        self.relayNetworks = try Self.networks(settings.relayNetworks, key)
        self.postmaster = settings.postmaster.isEmpty ? nil : Mailbox(settings.postmaster)
        guard settings.postmaster.isEmpty || self.postmaster?.domainName != nil else {
            throw ResourceFault(key, "its postmaster \(settings.postmaster) is not a mailbox")
        }
        var authorities: [NamedAuthorities] = []
        var rules: [PatternRule<DestinationDemands>] = []
        for rule in settings.destinations {
            let demand = try TransportDemand(rule.transport, key)
            authorities += [demand.authorities].compactMap(\.self)
            let demands = DestinationDemands(
                transport: demand.policy, usesChunking: rule.hasChunking ? rule.chunking : nil)
            rules.append(PatternRule(try Self.pattern(rule.pattern, key), demands))
        }
        var exceptions: [DestinationRules.Exception] = []
        for exception in settings.exceptions {
            exceptions.append(
                .init(domains: try Self.pattern(exception.pattern, key), until: Timestamp(exception.until)))
        }
        self.destinations = DestinationRules(rules: rules, exceptions: exceptions)
        self.authorities = authorities
        self.requiresCertificate = settings.certificateRequired
    }

    /// Networks of everybody would make an open relay, whether one holds all addresses or several do so together.
    private static func networks(_ texts: [String], _ key: ResourceKey) throws(ResourceFault) -> [CIDRBlock] {
        var networks: [CIDRBlock] = []
        for text in texts {
            guard let network = CIDRBlock(text) else { throw ResourceFault(key, "\(text) is not a network") }
            networks.append(network)
        }
        let whole = networks.first { $0.prefixLength == 0 }.map { "\($0) is every address" }
        let excess = NetworkCoverage.excesses(of: networks).first.map { "its networks together hold \($0)" }
        if let what = whole ?? excess {
            throw ResourceFault(key, "\(what): anyone could send to any domain through this node")
        }
        return networks
    }

    private static func pattern(_ text: String, _ key: ResourceKey) throws(ResourceFault) -> DomainPattern {
        guard let pattern = DomainPattern(text, domainName: { DomainName($0) }) else {
            throw ResourceFault(key, "\(text) is neither a domain nor *. and a domain")
        }
        return pattern
    }
}

extension Timestamp {
    init(_ time: Google_Protobuf_Timestamp) {
        let (product, overflow) = time.seconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else {
            self.init(microseconds: time.seconds < 0 ? .min : .max)
            return
        }
        self.init(microseconds: product.addingReportingOverflow(Int64(time.nanos / 1000)).partialValue)
    }
}

extension Google_Protobuf_Timestamp {
    init(_ time: Timestamp) {
        let (seconds, rest) = time.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        // Nanoseconds count forward, before 1970 too.
        self.init(
            seconds: rest < 0 ? seconds - 1 : seconds, nanos: Int32((rest < 0 ? rest + 1_000_000 : rest) * 1000))
    }
}
