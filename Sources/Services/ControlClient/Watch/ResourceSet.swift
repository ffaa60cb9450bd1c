import Admission
package import ClusterModel
package import ControlAPI
import Cryptography
package import MailModel
package import NodeState

/// The resources that a node has of its controller, each good for itself.
package struct ResourceSet: Sendable {
    /// The state of the cluster that they are; zero for none.
    package private(set) var version: UInt64 = 0
    package private(set) var resources: [ResourceKey: ReadResource] = [:]
    /// When those end that the controller has to refresh (control 7).
    private(set) var ends: [ResourceKey: MonotonicInstant] = [:]
    /// Those of them that are not in the content any more. They are held until the controller says that they are gone, since it may
    /// refresh one by its version alone.
    private(set) var ended: Set<ResourceKey> = []
    /// Lists are dear to make, so they are kept while their parts are the same.
    private var lists: [DomainName: (versions: [UInt64], list: RecipientList)] = [:]

    /// None.
    package init() {}

    /// Those of one state.
    package init(version: UInt64, _ resources: [ControlResource]) throws(ResourceFault) {
        self.version = version
        for resource in resources {
            let read = try ReadResource(resource)
            guard let key = resource.key else { continue }
            self.resources[key] = read
        }
    }

    /// These after a change; they stay as they are if something of it is not good.
    ///
    /// - Parameter lifetimes: how long some of them count from now on.
    package func applying(
        _ change: WatchedChange<ControlResource>, lifetimes: [ResourceKey: Duration], at now: MonotonicInstant
    ) throws(ResourceFault) -> ResourceSet {
        var next = self
        next.version = change.target
        for key in change.removed { next.remove(key) }
        for resource in change.changed {
            next.ends[resource.key] = nil
            // A version has one content, so it is not read twice; a body that is empty refreshes that of its version.
            if self.resources[resource.key]?.version == resource.version { continue }
            next.resources[resource.key] = try ReadResource(resource.content)
        }
        for (key, lifetime) in lifetimes where next.resources[key] != nil { next.ends[key] = now + lifetime }
        return next
    }

    private mutating func remove(_ key: ResourceKey) {
        self.resources[key] = nil
        self.ends[key] = nil
        self.ended.remove(key)
    }

    /// When the next one ends.
    package var nextEnd: MonotonicInstant? { self.ends.filter { !self.ended.contains($0.key) }.values.min() }

    /// Those that the content was made of.
    package var inContent: [ResourceKey: ReadResource] { self.resources.filter { !self.ended.contains($0.key) } }

    /// The versions of those that outlive the controller's silence: what a node says that it has after a start.
    package var lasting: [ResourceKey: ReadResource] { self.resources.filter { self.ends[$0.key] == nil } }

    package var versions: ResourceVersions { self.resources.mapValues(\.version) }

    // MARK: As content

    /// What they make together, without those that have ended; or what does not fit together (control 5).
    package mutating func content(at now: MonotonicInstant) throws(ResourceFault) -> NodeStateContent {
        self.ended = Set(self.ends.filter { $0.value <= now }.keys)
        let current = self.inContent
        var content = NodeStateContent()
        content.users = Self.users(current)
        content.certificates = try Self.certificates(current)
        if case .settings(let fleet) = current[ResourceKey(type: .settings, name: FleetResource.name)]?.content {
            content.take(fleet)
        }
        try self.addDomains(to: &content, current)
        return content
    }

    private static func users(_ resources: [ResourceKey: ReadResource]) -> UserCredentials? {
        var hashes: [String: PasswordHash] = [:]
        for (key, resource) in resources {
            if case .user(let hash) = resource.content { hashes[key.name] = hash }
        }
        return hashes.isEmpty ? nil : UserCredentials(hashes)
    }

    private static func certificates(
        _ resources: [ResourceKey: ReadResource]
    ) throws(ResourceFault) -> [NamedCertificate] {
        var slots: [UInt32: (key: ResourceKey, certificate: ServerCertificate)] = [:]
        for key in resources.keys.filter({ $0.type == .certificate }).sorted() {
            guard case .certificate(let slot, let certificate) = resources[key]?.content else { continue }
            if let other = slots.updateValue((key, certificate), forKey: slot) {
                throw ResourceFault(key, "it has slot \(slot), and so has \(other.key)")
            }
        }
        return slots.sorted { $0.key < $1.key }.map { NamedCertificate(name: "\($0.value.key)", $0.value.certificate) }
    }

    private mutating func addDomains(
        to content: inout NodeStateContent, _ resources: [ResourceKey: ReadResource]
    ) throws(ResourceFault) {
        var lists: [DomainName: (versions: [UInt64], list: RecipientList)] = [:]
        var faults: [ResourceFault] = []
        for (key, resource) in resources {
            guard case .domain(let domain) = resource.content else { continue }
            if let authorities = domain.authorities {
                content.authorities[authorities.name] = authorities.certificates
            }
            var accepted = domain.accepted
            if let parts = domain.listParts {
                do {
                    let list = try self.list(of: domain.name, parts: parts, key, resources)
                    lists[domain.name] = list
                    accepted.verification = .list(list.list)
                } catch {
                    faults.append(error)
                }
            }
            content.domains[domain.name] = accepted
        }
        // One is told, and of several always the same one.
        if let first = faults.min(by: { ($0.key?.name ?? "") < ($1.key?.name ?? "") }) { throw first }
        self.lists = lists
    }

    private func list(
        of domain: DomainName, parts: Int, _ key: ResourceKey, _ resources: [ResourceKey: ReadResource]
    ) throws(ResourceFault) -> (versions: [UInt64], list: RecipientList) {
        var versions: [UInt64] = []
        var localParts: [[String]] = []
        for index in 0..<parts {
            let name = ReadResource.partName(domain, index)
            guard let part = resources[ResourceKey(type: .recipientListPart, name: name)],
                case .recipientListPart(_, _, let found) = part.content
            else { throw ResourceFault(key, "part \(index) of the \(parts) parts of its list is missing") }
            versions.append(part.version)
            localParts.append(found)
        }
        if let kept = self.lists[domain], kept.versions == versions { return kept }
        return (versions, RecipientList(localParts.joined()))
    }
}

extension NodeStateContent {
    fileprivate mutating func take(_ fleet: FleetResource) {
        self.relayNetworks = fleet.relayNetworks
        self.postmaster = fleet.postmaster
        self.destinations = fleet.destinations
        self.requiresCertificate = fleet.requiresCertificate
        for authorities in fleet.authorities { self.authorities[authorities.name] = authorities.certificates }
    }
}
