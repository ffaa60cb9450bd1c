public import Foundation

extension PostfixInstance {
    /// One message in the queue, as `postqueue -j` tells it.
    public struct QueueEntry: Decodable, Sendable {
        /// One recipient not yet served.
        public struct Recipient: Decodable, Sendable {
            /// The address.
            public let address: String
            /// Why the last attempt failed, if there was one.
            public let delayReason: String?
            private enum CodingKeys: String, CodingKey {
                case address
                case delayReason = "delay_reason"
            }
        }

        /// Such as `deferred` or `active`.
        public let queueName: String
        /// Its id in log lines.
        public let queueID: String
        /// The envelope's sender.
        public let sender: String
        /// Who still waits for it.
        public let recipients: [Recipient]
        private enum CodingKeys: String, CodingKey {
            case queueName = "queue_name"
            case queueID = "queue_id"
            case sender, recipients
        }
    }

    /// Puts a message into its queue, as a program on its host would.
    public func submit(from reversePath: String, to recipients: [String], message: String) async throws {
        let file = self.folder.appending(path: "submission-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try message.write(to: file, atomically: true, encoding: .utf8)
        // ChildProcess gives no standard input, so a shell opens the file.
        let script = #"exec sendmail -C "$1" -i -f "$2" -- "${@:3}" < "$0""#
        let settings = self.folder.appending(path: "etc").path
        try await ChildProcess.run("bash", ["-c", script, file.path, settings, reversePath] + recipients)
    }

    /// What waits in its queue.
    public func queue() async throws -> [QueueEntry] {
        let settings = self.folder.appending(path: "etc").path
        return try await ChildProcess.run("postqueue", ["-c", settings, "-j"]).split(separator: "\n").map {
            try JSONDecoder().decode(QueueEntry.self, from: Data($0.utf8))
        }
    }

    /// The lines of its log so far that contain `text`.
    public func logLines(containing text: String) -> [String] {
        guard let data = try? Data(contentsOf: self.folder.appending(path: "log/maillog")) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").filter { $0.contains(text) }.map(
            String.init)
    }

    /// Waits for a log line that contains `text`, such as `Verified TLS connection established`; `nil` when time is up.
    public func logLine(containing text: String, within limit: Duration = .seconds(15)) async -> String? {
        await Self.poll(within: limit) { self.logLines(containing: text).first }
    }

    /// Waits for a stored message that contains `text` (a Message-ID or a Subject), and gives its bytes, with LF ends of
    /// line and Postfix's own header fields in front; `nil` when time is up.
    public func storedMessage(containing text: String, within limit: Duration = .seconds(15)) async -> Data? {
        let needle = Data(text.utf8)
        return await Self.poll(within: limit) { self.storedMessages().first { $0.range(of: needle) != nil } }
    }

    /// All messages stored so far.
    public func storedMessages() -> [Data] {
        let inbox = self.folder.appending(path: "mail/inbox/new")
        let files = (try? FileManager.default.contentsOfDirectory(at: inbox, includingPropertiesForKeys: nil)) ?? []
        return files.sorted { $0.path < $1.path }.compactMap { try? Data(contentsOf: $0) }
    }

    private static func poll<Value>(within limit: Duration, _ look: () -> Value?) async -> Value? {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if let value = look() { return value }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return look()
    }
}
