package import ClusterModel
package import ControlStore

/// One state of the cluster. All streams of a replica share it.
package struct StateSnapshot: Sendable {
    package private(set) var version: UInt64
    package private(set) var versions: ResourceVersions = [:]
    private var resources: [ResourceKey: StoredResource] = [:]
    /// All keys in order, so that pages and types are slices.
    private var order: [ResourceKey] = []

    /// A cluster without resources.
    package init() { self.version = 0 }

    package init(_ state: StoredState) {
        self.version = state.version
        for resource in state.resources {
            self.resources[resource.key] = resource
            self.versions[resource.key] = resource.version
        }
        self.order = self.resources.keys.sorted()
    }

    package subscript(key: ResourceKey) -> StoredResource? { self.resources[key] }

    /// The same state with what has changed since.
    package func applying(_ changes: StoredChanges) -> StateSnapshot {
        var next = self
        next.version = changes.version
        var added: [ResourceKey] = []
        for resource in changes.resources {
            if next.resources.updateValue(resource, forKey: resource.key) == nil { added.append(resource.key) }
            next.versions[resource.key] = resource.version
        }
        var removed: Set<ResourceKey> = []
        for key in changes.removed where next.resources.removeValue(forKey: key) != nil {
            next.versions[key] = nil
            removed.insert(key)
        }
        if !removed.isEmpty { next.order.removeAll { removed.contains($0) } }
        if !added.isEmpty { next.order = Self.merge(next.order, added.sorted()) }
        return next
    }

    /// How many resources of a type there are.
    package func count(of type: ResourceType) -> Int { self.range(of: type).count }

    /// The resources of a type behind a name, in order; at most so many.
    package func resources(of type: ResourceType, after name: String? = nil, limit: Int = .max) -> [StoredResource] {
        let range = self.range(of: type)
        var start = range.lowerBound
        if let name {
            let key = ResourceKey(type: type, name: name)
            start = self.firstIndex { !($0 <= key) }
        }
        guard start < range.upperBound else { return [] }
        return self.order[start..<range.upperBound].prefix(limit).compactMap { self.resources[$0] }
    }

    private func range(of type: ResourceType) -> Range<Int> {
        let start = self.firstIndex { $0.type.rawValue >= type.rawValue }
        let end = self.firstIndex { $0.type.rawValue > type.rawValue }
        return start..<end
    }

    /// The first key for which it is true, of which all later ones must be, too.
    private func firstIndex(where isBehind: (ResourceKey) -> Bool) -> Int {
        var (low, high) = (0, self.order.count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self.order[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private static func merge(_ left: [ResourceKey], _ right: [ResourceKey]) -> [ResourceKey] {
        var merged: [ResourceKey] = []
        merged.reserveCapacity(left.count + right.count)
        var rest = right[...]
        for key in left {
            while let first = rest.first, first < key { merged.append(rest.removeFirst()) }
            merged.append(key)
        }
        return merged + rest
    }
}
