import ClusterModel
import ControlAPI
import ControlStore

/// One change from one state to the next, in parts that fit into messages (control 1). Parts are made one by one: a node that reads slowly
/// costs one of them.
struct WatchParts {
    /// The bytes at which a part is full; the largest resource comes on top.
    static let partBytes = 512 << 10

    private let change: WatchChange
    private let state: StateSnapshot
    private let messages: ResourceMessages
    private var changed: ArraySlice<ResourceKey>
    private var removed: ArraySlice<ResourceKey>
    private var isBegun = false

    /// - Parameter state: the one that the change leads to.
    init(_ change: WatchChange, to state: StateSnapshot, _ messages: ResourceMessages) {
        self.change = change
        self.state = state
        self.messages = messages
        self.changed = change.difference.changed[...]
        self.removed = change.difference.removed[...]
    }

    /// The next part without its nonce; `nil` behind the last. A change has one part at least.
    mutating func next() throws -> ControlWatchResponse? {
        guard !self.isBegun || !self.changed.isEmpty || !self.removed.isEmpty else { return nil }
        self.isBegun = true
        var part = ControlWatchResponse()
        part.baseVersion = self.change.base
        part.stateVersion = self.change.target
        var size = 0
        while size < Self.partBytes, let key = self.changed.popFirst() {
            guard let stored = self.state[key] else { continue }
            part.resources.append(try self.messages.message(stored))
            size += stored.content.count + key.name.utf8.count + Self.overheadBytes
        }
        while size < Self.partBytes, let key = self.removed.popFirst() {
            part.removed.append(ControlResourceKey(key))
            size += key.name.utf8.count + Self.overheadBytes
        }
        part.hasMore_p = !self.changed.isEmpty || !self.removed.isEmpty
        return part
    }

    /// What the encoding, and a secret, add to a resource.
    private static let overheadBytes = 200
}
