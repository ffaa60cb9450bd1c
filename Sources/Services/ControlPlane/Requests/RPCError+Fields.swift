import GRPCCore

extension RPCError {
    /// A field of a request has a value that it may not have.
    static func invalid(_ field: String, _ what: String) -> RPCError {
        RPCError(code: .invalidArgument, message: "\(field): \(what)")
    }

    /// Over a budget. The client may ask again after so long, which `grpc-retry-pushback-ms` says.
    static func exhausted(_ what: String, retryAfter delay: Duration) -> RPCError {
        let milliseconds = max(
            1, delay.components.seconds * 1_000 + delay.components.attoseconds / 1_000_000_000_000_000)
        return RPCError(
            code: .resourceExhausted, message: "\(what); ask again in \(milliseconds) ms",
            metadata: ["grpc-retry-pushback-ms": "\(milliseconds)"])
    }
}
