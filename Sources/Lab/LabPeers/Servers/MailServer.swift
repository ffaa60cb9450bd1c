public import Foundation
import LabSupport

/// A real mail server that runs for a test: what it stored and what it logged can be read.
public protocol MailServer: Sendable {
    /// Where it listens.
    var address: String { get }
    /// Its SMTP port.
    var port: UInt16 { get }
    /// What it says about its work.
    var logFile: URL { get }
    /// One file for each stored message, with LF ends of line and the server's own header fields in front.
    var inbox: URL { get }

    /// Ends it and its services.
    func stop() async
}

extension MailServer {
    /// Hands it a message by SMTP, as a program on its host would; fails unless it is taken.
    ///
    /// - Parameters:
    ///   - message: header and body, with LF or CRLF.
    ///   - parameters: what to say behind MAIL and behind each RCPT.
    public func submit(
        from reversePath: String, to recipients: [String], message: some Collection<UInt8> & Sendable,
        parameters: (mail: String, recipient: String) = ("", "")
    ) async throws {
        try await SMTPDialog.with(address: self.address, port: self.port) { smtp in
            try await smtp.hello()
            let reply = try await smtp.submit(from: reversePath, to: recipients, message, parameters: parameters)
            guard reply.code == 250 else { throw LabFailure("not taken: \(reply)") }
            try await smtp.say("QUIT")
        }
    }

    /// The lines of its log so far that contain `text`.
    public func logLines(containing text: String) -> [String] {
        guard let data = try? Data(contentsOf: self.logFile) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").filter { $0.contains(text) }.map(
            String.init)
    }

    /// Waits for a log line that contains `text`, such as `Verified TLS connection established`; `nil` when time is up.
    public func logLine(containing text: String, within limit: Duration = .seconds(15)) async -> String? {
        await eventualValue(within: limit) { self.logLines(containing: text).first }
    }

    /// Waits for a stored message that contains `text` (a Message-ID or a Subject), and gives its bytes; `nil` when time is
    /// up.
    public func storedMessage(containing text: String, within limit: Duration = .seconds(15)) async -> Data? {
        let needle = Data(text.utf8)
        return await eventualValue(within: limit) { self.storedMessages().first { $0.range(of: needle) != nil } }
    }

    /// All messages stored so far.
    public func storedMessages() -> [Data] {
        let files =
            (try? FileManager.default.contentsOfDirectory(at: self.inbox, includingPropertiesForKeys: nil)) ?? []
        return files.sorted { $0.path < $1.path }.compactMap { try? Data(contentsOf: $0) }
    }
}

/// What a private mail server beside Postfix is to be: it stores the mail for its domains and sends all other by MX.
public struct MailServerSettings: Sendable {
    /// The name it greets with and says in EHLO.
    public var hostName: String
    /// Where it listens.
    public var address: String
    /// Its port.
    public var port: UInt16
    /// Its own certificate.
    public var identity: PostfixConfiguration.Identity
    /// Domains whose mail it stores, whatever the local part.
    public var acceptedDomains: [String]
    /// The resolver that it asks, at port 53.
    public var resolverAddress: String

    /// A server that is both an MX and a sender.
    public init(
        hostName: String, address: String, port: UInt16, identity: PostfixConfiguration.Identity,
        acceptedDomains: [String], resolverAddress: String
    ) {
        self.hostName = hostName
        self.address = address
        self.port = port
        self.identity = identity
        self.acceptedDomains = acceptedDomains
        self.resolverAddress = resolverAddress
    }
}
