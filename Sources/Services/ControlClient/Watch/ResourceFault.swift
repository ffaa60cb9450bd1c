package import ClusterModel

/// Why a node does not serve by what a controller sent (control 5).
package struct ResourceFault: Error, Hashable, Sendable {
    /// The resource that is at fault; `nil` if it is none alone.
    package let key: ResourceKey?
    /// For people.
    package let reason: String

    package init(_ key: ResourceKey?, _ reason: String) {
        self.key = key
        self.reason = reason
    }
}
