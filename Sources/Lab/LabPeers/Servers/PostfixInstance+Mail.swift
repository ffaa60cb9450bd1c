import Foundation
import LabSupport

extension PostfixInstance {
    /// One message in the queue, as `postqueue -j` tells it.
    public struct QueueEntry: Decodable, Sendable {
        /// One recipient not yet served.
        public struct Recipient: Decodable, Sendable {
            /// The address.
            public let address: String
        }

        /// Who still waits for it.
        public let recipients: [Recipient]
    }

    /// What waits in its queue.
    public func queue() async throws -> [QueueEntry] {
        let settings = self.folder.appending(path: "etc").path
        return try await ChildProcess.run("postqueue", ["-c", settings, "-j"]).split(separator: "\n").map {
            try JSONDecoder().decode(QueueEntry.self, from: Data($0.utf8))
        }
    }
}
