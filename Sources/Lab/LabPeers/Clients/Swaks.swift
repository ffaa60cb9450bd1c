import Foundation
public import LabSupport

/// Debian's `swaks` as a submitting client: one message, one transcript.
public struct Swaks: Sendable {
    /// What came of one run.
    public struct Result: Sendable {
        /// The conversation as swaks prints it: `->` and `<-` in clear, `~>` and `<~` under TLS.
        public let transcript: String
        /// 0 when the message was accepted; the other numbers are those of swaks(1).
        public let exitStatus: Int32
        /// Whether the server took the message.
        public var wasAccepted: Bool { self.exitStatus == 0 }
    }

    /// Whether to ask for STARTTLS.
    public enum TLS: Hashable, Sendable {
        /// Never.
        case none
        /// Only if it is offered.
        case ifOffered
        /// Or fail.
        case required
    }

    /// The server to talk to.
    public var address: String
    /// Its port.
    public var port: UInt16
    /// Required unless changed.
    public var tls = TLS.required
    /// The name in EHLO.
    public var heloName = "client.test"
    /// The name sent in SNI, if any.
    public var serverName: String?
    /// AUTH by this mechanism, as this user; no AUTH unless given.
    public var login: Login?
    /// PEM files of the client's chain and key, if it has any.
    public var certificate: (chain: String, key: String)?

    /// How a client authenticates.
    public struct Login: Hashable, Sendable {
        var mechanism, user, password: String

        /// Credentials for a mechanism such as `PLAIN`.
        public init(_ mechanism: String, user: String, password: String) {
            self.mechanism = mechanism
            self.user = user
            self.password = password
        }
    }

    /// A client of this server.
    public init(address: String = "127.0.0.1", port: UInt16, tls: TLS = .required) {
        self.address = address
        self.port = port
        self.tls = tls
    }

    /// Submits `message` (header and body, with LF or CRLF) and waits for the end.
    public func send(
        from reversePath: String, to recipients: [String], message: String, limit: Duration = .seconds(30)
    ) async throws(ChildProcess.Failure) -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "relay-swaks-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let data = folder.appending(path: "message")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            // Swaks speaks CRLF itself when it is given LF, and ends the last line itself.
            var text = message.replacing("\r\n", with: "\n")
            if text.hasSuffix("\n") { text.removeLast() }
            try text.write(to: data, atomically: true, encoding: .utf8)
        } catch {
            throw ChildProcess.Failure("cannot write \(data.path): \(error)")
        }
        let child = try await ChildProcess(
            "swaks", self.arguments(from: reversePath, to: recipients, data: data), log: folder.appending(path: "log"))
        guard await child.ended(within: limit) else {
            await child.stop()
            throw ChildProcess.Failure("swaks took longer than \(limit): \(child.lastOutput())")
        }
        let transcript = (try? Data(contentsOf: child.log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return Result(transcript: transcript, exitStatus: child.terminationStatus ?? -1)
    }

    private func arguments(from reversePath: String, to recipients: [String], data: URL) -> [String] {
        var words = [
            "--server", self.address, "--port", "\(self.port)", "--helo", self.heloName,
            "--from", reversePath, "--to", recipients.joined(separator: ","), "--data", "@\(data.path)",
        ]
        switch self.tls {
        case .none: ()
        case .ifOffered: words.append("--tls-optional")
        case .required: words.append("--tls")
        }
        if let serverName = self.serverName { words += ["--tls-sni", serverName] }
        if let login = self.login {
            words += [
                "--auth", login.mechanism, "--auth-user", login.user, "--auth-password", login.password,
                "--auth-hide-password",
            ]
        }
        if let certificate = self.certificate {
            words += ["--tls-cert", certificate.chain, "--tls-key", certificate.key]
        }
        return words
    }
}
