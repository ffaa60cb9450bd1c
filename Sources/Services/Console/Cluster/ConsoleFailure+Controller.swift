import GRPCCore

extension ConsoleFailure {
    /// What a controller said, or why it could not be asked.
    init(controller error: any Error) {
        if let failure = error as? ConsoleFailure {
            self = failure
            return
        }
        guard let error = error as? RPCError else {
            self.init(.failed, "\(error)")
            return
        }
        let line = error.message.split(whereSeparator: \.isNewline).joined(separator: " ")
        switch error.code {
        case .unavailable: self.init(.unavailable, "no controller can be reached: \(line)")
        case .deadlineExceeded: self.init(.temporary, "the controller did not answer in time")
        case .permissionDenied, .unauthenticated: self.init(.denied, line)
        case .notFound, .invalidArgument: self.init(.badData, line)
        case .aborted, .resourceExhausted: self.init(.temporary, line)
        case .unimplemented: self.init(.failed, "the controller does not know this command: \(line)")
        default: self.init(.failed, line.isEmpty ? "the controller answered \(error.code)" : line)
        }
    }

    /// Somebody else has changed what a change was made on.
    static func conflict(_ object: String, made: UInt64, current: UInt64) -> ConsoleFailure {
        if made == 0 { return ConsoleFailure(.badData, "\(object) exists already, in version \(current)") }
        let now = current == 0 ? "it is gone" : "it has version \(current) now"
        return ConsoleFailure(
            .temporary, "\(object): the change was made on version \(made), and \(now); look at it, and try again")
    }
}

extension ClusterConsole {
    /// Sends a change that was made on versions. If a controller refuses it because somebody else was faster, both versions are told.
    ///
    /// - Parameters:
    ///   - bases: the versions by the name of each object; 0 where there was none.
    ///   - current: reads the version that an object has now; 0 where there is none.
    func change<Answer: Sendable>(
        _ bases: [(object: String, version: UInt64)],
        current: (_ index: Int) async throws(ConsoleFailure) -> UInt64,
        _ body: (CallOptions) async throws -> Answer
    ) async throws(ConsoleFailure) -> Answer {
        var options = CallOptions.defaults
        options.timeout = Self.patience
        let refusal: RPCError
        do {
            return try await body(options)
        } catch let error as RPCError where [.aborted, .alreadyExists].contains(error.code) {
            refusal = error
        } catch {
            throw ConsoleFailure(controller: error)
        }
        for (index, base) in bases.enumerated() {
            let now = try await current(index)
            if now != base.version { throw .conflict(base.object, made: base.version, current: now) }
        }
        throw ConsoleFailure(controller: refusal)
    }
}
