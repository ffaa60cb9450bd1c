/// One response of a stream: a part of a change, as a node got it.
public struct WatchPart<Content: Sendable>: Sendable {
    /// The number of the response in its stream, from 1.
    public let nonce: UInt64
    /// The state that the change begins at. Zero: the change has every resource.
    public let base: UInt64
    /// The state that the change leads to.
    public let target: UInt64
    /// New and changed resources.
    public let changed: [WatchedResource<Content>]
    /// Resources that are gone.
    public let removed: [ResourceKey]
    /// Whether another part of the same change follows.
    public let hasMore: Bool

    /// A response.
    public init(
        nonce: UInt64, base: UInt64, target: UInt64, changed: [WatchedResource<Content>], removed: [ResourceKey],
        hasMore: Bool
    ) {
        self.nonce = nonce
        self.base = base
        self.target = target
        self.changed = changed
        self.removed = removed
        self.hasMore = hasMore
    }
}

/// A resource with its content.
public struct WatchedResource<Content: Sendable>: Sendable {
    /// Its name.
    public let key: ResourceKey
    /// The version of this content.
    public let version: UInt64
    /// What it is.
    public let content: Content

    /// A resource of this version.
    public init(key: ResourceKey, version: UInt64, content: Content) {
        self.key = key
        self.version = version
        self.content = content
    }
}

/// A whole change, which a node checks and then applies, or refuses (control 5).
public struct WatchedChange<Content: Sendable>: Sendable {
    /// The state that the change begins at. Zero: it has every resource, and what it has not is gone.
    public let base: UInt64
    /// The state that it leads to.
    public let target: UInt64
    /// New and changed resources.
    public let changed: [WatchedResource<Content>]
    /// Those of the node's resources that are gone.
    public let removed: [ResourceKey]
    /// All resources that the node has afterwards.
    public let versions: ResourceVersions

    /// Whether it has every resource.
    public var hasEverything: Bool { self.base == 0 }
}

/// What a node answers to a response.
public struct WatchAnswer: Hashable, Sendable {
    /// The response that is answered.
    public let nonce: UInt64
    /// Present in a refusal, and only there (control 1).
    public let refusal: WatchRefusal?

    /// An answer to a response.
    public init(nonce: UInt64, refusal: WatchRefusal?) {
        self.nonce = nonce
        self.refusal = refusal
    }
}

/// What a node says first on a stream (control 3).
public struct WatchBeginning: Hashable, Sendable {
    /// The state that the node has; zero for none.
    public let stateVersion: UInt64
    /// The version of each of its resources.
    public let held: ResourceVersions
}
