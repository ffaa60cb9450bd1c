import GRPCCore

/// One page of a list that was asked for.
struct PageRequest {
    static let usualSize = 100
    static let maximumSize = 1_000
    /// A token is the name behind which the page begins.
    private static let maximumTokenBytes = 512

    let size: Int
    let after: String?

    init(size: UInt32, token: String) throws(RPCError) {
        guard size <= Self.maximumSize else {
            throw .invalid("page_size", "\(size) is more than \(Self.maximumSize)")
        }
        guard token.utf8.count <= Self.maximumTokenBytes else {
            throw .invalid("page_token", "no token of a page before")
        }
        self.size = size == 0 ? Self.usualSize : Int(size)
        self.after = token.isEmpty ? nil : token
    }
}
