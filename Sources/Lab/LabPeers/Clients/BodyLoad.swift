import Foundation
import LabSupport

/// Large messages, all at once, piece by piece: what the relay is to pass on without holding it.
public struct BodyLoad: Sendable {
    /// Messages at once, each on a connection of its own.
    public var count: Int
    /// The size of each in bytes.
    public var size: Int
    /// Whether they go over TLS.
    public var isEncrypted: Bool
    /// The time for all.
    public var limit = Duration.seconds(600)

    /// A load.
    public init(count: Int, size: Int, isEncrypted: Bool) {
        self.count = count
        self.size = size
        self.isEncrypted = isEncrypted
    }

    /// Sends all of them to `recipient`; fails unless each is answered 250.
    public func send(to recipient: String, port: UInt16) async throws {
        try await withThrowingTaskGroup { group in
            for _ in 0..<self.count {
                group.addTask {
                    try await SMTPDialog.with(port: port, within: self.limit) { smtp in
                        try await self.send(to: recipient, &smtp)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func send(to recipient: String, _ smtp: inout SMTPDialog) async throws {
        try await smtp.hello()
        if self.isEncrypted { try await smtp.startTLS() }
        for line in ["MAIL FROM:<alice@alpha.test>", "RCPT TO:<\(recipient)>", "DATA"] {
            let reply = try await smtp.say(line)
            guard reply.code == 250 || reply.code == 354 else { throw LabFailure("\(line): \(reply)") }
        }
        try await smtp.send("Subject: large\r\nMessage-ID: <\(UUID().uuidString)@client.test>\r\n\r\n")
        let piece = String(repeating: String(repeating: "relay body ", count: 7) + "\r\n", count: 800)
        var left = self.size
        while left > 0 {
            try await smtp.send(piece)
            left -= piece.utf8.count
        }
        try await smtp.send(".\r\n")
        let reply = try await smtp.readReply()
        guard reply.code == 250 else { throw LabFailure("at the end of the data: \(reply)") }
        try await smtp.say("QUIT")
    }
}
