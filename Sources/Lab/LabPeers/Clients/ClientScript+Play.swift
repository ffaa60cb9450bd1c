import LabSupport

extension ClientScript {
    /// Why a script could not be played to its end.
    public struct Failure: Error, CustomStringConvertible {
        /// The number of the step in its script, from 1.
        public let number: Int
        /// The step; of a group, the one within.
        public let step: Step
        /// What was wrong.
        public let reason: String
        /// The replies that were heard until then.
        public let replies: [SMTPDialog.Reply]

        /// All of it, in one line and one for each reply.
        public var description: String {
            let heard = self.replies.map { "\n    heard: \($0)" }.joined()
            return "step \(self.number), \(self.step): \(self.reason)\(heard)"
        }
    }

    /// Plays it on a connection of its own, within `limit`; gives back all that the server said. Throws a `Failure` that
    /// names the step, or what prevented the connection.
    ///
    /// - Parameter source: the address of this machine to connect from, such as another one of loopback.
    @discardableResult
    public func play(
        from source: String? = nil, port: UInt16, within limit: Duration = .seconds(60)
    ) async throws -> [SMTPDialog.Reply] {
        try await SMTPDialog.connected(from: source, port: port, within: limit) { smtp in try await smtp.play(self) }
    }
}

extension SMTPDialog {
    /// Plays a script on this connection; gives back what the server said. Throws a `ClientScript.Failure`.
    @discardableResult
    public mutating func play(_ script: ClientScript) async throws(ClientScript.Failure) -> [Reply] {
        var replies: [Reply] = []
        for (index, step) in script.steps.enumerated() {
            do throws(StepFailure) {
                guard try await self.play(step, &replies) else { break }
            } catch {
                throw ClientScript.Failure(
                    number: index + 1, step: error.step, reason: error.reason, replies: replies)
            }
        }
        return replies
    }

    private struct StepFailure: Error {
        let step: ClientScript.Step
        let reason: String
    }

    /// `false` when nothing can follow.
    private mutating func play(
        _ step: ClientScript.Step, _ replies: inout [Reply]
    ) async throws(StepFailure) -> Bool {
        if case .group(_, let steps) = step {
            for inner in steps { guard try await self.play(inner, &replies) else { return false } }
            return true
        }
        do {
            return try await self.perform(step, &replies)
        } catch {
            throw StepFailure(step: step, reason: "\(error)")
        }
    }

    private mutating func perform(_ step: ClientScript.Step, _ replies: inout [Reply]) async throws -> Bool {
        switch step {
        case .lines(let lines): try await self.send(lines.map { "\($0)\r\n" }.joined())
        case .bytes(let text, let times): for _ in 0..<times { try await self.send(text) }
        case .drip(let text, let pause, let reply):
            let dripping = self.dripping(text, every: pause)
            defer { dripping.cancel() }
            try await self.hear(reply, &replies)
        case .replies(let beginnings): for beginning in beginnings { try await self.hear(beginning, &replies) }
        case .startTLS: try await self.secure()
        case .stall(let duration): try await Task.sleep(for: duration)
        case .endSending: try await self.endSending()
        case .closed:
            guard let reply = try await self.nextReply() else { return true }
            replies.append(reply)
            throw LabFailure("expected the end of the connection, the server said \(reply)")
        case .hangUp:
            await self.hangUp()
            return false
        case .group: ()
        }
        return true
    }

    private mutating func hear(_ beginning: String, _ replies: inout [Reply]) async throws {
        let reply = try await self.readReply()
        replies.append(reply)
        guard beginning.split(separator: "|").contains(where: { reply.lastLine.hasPrefix($0) }) else {
            throw LabFailure("expected \(beginning), the server said \(reply)")
        }
    }
}
