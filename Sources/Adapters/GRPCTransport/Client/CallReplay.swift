import GRPCCore

/// What a caller has written to a call, for as long as the call may begin again on another connection (control 22).
struct CallReplay: Sendable {
    enum Item: Sendable, Hashable {
        case part(RequestPart)
        /// Nothing more is written.
        case finish
    }

    /// What an item counts beside its bytes.
    private static let itemBytes = 64

    /// The most bytes that are kept.
    let limit: Int
    private(set) var items: [Item] = []
    private(set) var mayMove = true
    private var bytes = 0

    init(limit: Int) { self.limit = limit }

    /// Keeps what is written; a call that has written too much stays where it is.
    mutating func record(_ item: Item) {
        guard self.mayMove else { return }
        self.items.append(item)
        self.bytes += Self.itemBytes
        if case .part(let part) = item { self.bytes += part.bytes }
        if self.bytes > self.limit { self.stay() }
    }

    /// The call stays where it is: something of its response came, or it has begun again once.
    mutating func stay() {
        self.mayMove = false
        self.items = []
    }
}
