import ClusterModel

/// The key of a domain.
func domain(_ name: String) -> ResourceKey { ResourceKey(type: .domain, name: name) }

/// The versions of some domains.
func domains(_ versions: [String: UInt64]) -> ResourceVersions {
    Dictionary(uniqueKeysWithValues: versions.map { (domain($0), $1) })
}

/// A change between two states whose domains are these.
func change(
    _ base: UInt64, _ target: UInt64, from held: [String: UInt64], to current: [String: UInt64]
) -> WatchChange {
    WatchChange(
        base: base, target: target, difference: StateDifference(from: domains(held), to: domains(current)))
}

/// A refusal of a domain, or of the base.
func refusal(_ state: UInt64, _ name: String?) -> WatchRefusal {
    WatchRefusal(stateVersion: state, resource: name.map(domain), reason: "because")
}
