import Foundation
import LabSupport

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

    /// What waits in its queue.
    public func queue() async throws -> [QueueEntry] {
        let settings = self.folder.appending(path: "etc").path
        return try await ChildProcess.run("postqueue", ["-c", settings, "-j"]).split(separator: "\n").map {
            try JSONDecoder().decode(QueueEntry.self, from: Data($0.utf8))
        }
    }
}
