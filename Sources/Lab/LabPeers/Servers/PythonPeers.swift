public import Foundation
import LabSupport

/// Debian's Python, which has smtplib, and aiosmtpd with its package.
private let python = "/usr/bin/python3"

/// aiosmtpd as an MX: STARTTLS and SMTPUTF8, but neither CHUNKING nor DSN.
public final class AiosmtpdServer: MailServer {
    /// Why it cannot run here; a test skips with this as its reason.
    public static var unavailable: String? {
        FileManager.default.fileExists(atPath: "/usr/lib/python3/dist-packages/aiosmtpd")
            ? nil : "the Debian package python3-aiosmtpd is not installed"
    }

    public let address: String
    public let port: UInt16
    private let folder: URL
    private let process: ChildProcess

    public var logFile: URL { self.process.log }
    public var inbox: URL { self.folder.appending(path: "mail") }

    private static let script = """
        import asyncio, os, ssl, sys
        from aiosmtpd.smtp import SMTP
        address, port, name, chain, key, folder = sys.argv[1:]
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(chain, key)
        class Inbox:
            count = 0
            async def handle_DATA(self, server, session, envelope):
                Inbox.count += 1
                print("taken", session.ssl and session.ssl["cipher"], envelope.mail_options, envelope.rcpt_tos, flush=True)
                with open(f"{folder}/tmp", "wb") as file:
                    file.write(envelope.content.replace(b"\\r\\n", b"\\n"))
                os.rename(f"{folder}/tmp", f"{folder}/mail/{Inbox.count}")
                return "250 2.0.0 stored"
        async def serve():
            make = lambda: SMTP(Inbox(), hostname=name, tls_context=tls, enable_SMTPUTF8=True)
            server = await asyncio.get_running_loop().create_server(make, address, int(port))
            print("ready", flush=True)
            await server.serve_forever()
        asyncio.run(serve())
        """

    /// Starts a server in `folder`, which must exist, and waits until it answers.
    public static func start(_ settings: MailServerSettings, in folder: URL) async throws -> AiosmtpdServer {
        if let reason = Self.unavailable { throw LabFailure(reason) }
        try FileManager.default.createDirectory(
            at: folder.appending(path: "mail"), withIntermediateDirectories: true)
        let words = [
            settings.address, "\(settings.port)", settings.hostName, settings.identity.chainFile.path,
            settings.identity.keyFile.path, folder.path,
        ]
        let process = try await ChildProcess(
            python, ["-c", Self.script] + words, log: folder.appending(path: "console"))
        let server = AiosmtpdServer(settings, folder, process)
        try await process.ready(within: .seconds(20), "aiosmtpd") { !server.logLines(containing: "ready").isEmpty }
        return server
    }

    private init(_ settings: MailServerSettings, _ folder: URL, _ process: ChildProcess) {
        self.address = settings.address
        self.port = settings.port
        self.folder = folder
        self.process = process
    }

    public func stop() async { await self.process.stop() }
}

/// Python's smtplib as a submitting client with STARTTLS.
public enum Smtplib {
    /// Why it cannot run here; a test skips with this as its reason.
    public static var unavailable: String? {
        FileManager.default.isExecutableFile(atPath: python) ? nil : "Debian's python3 is not installed"
    }

    private static let script = """
        import smtplib, ssl, sys
        port, sender, recipient, file, mail_options, rcpt_options = sys.argv[1:]
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with smtplib.SMTP("127.0.0.1", int(port), "client.test", timeout=20) as smtp:
            smtp.starttls(context=context)
            smtp.ehlo()
            message = open(file, "rb").read()
            smtp.sendmail(sender, [recipient], message, mail_options.split(), rcpt_options.split())
            print(smtp.sock.version(), sorted(smtp.esmtp_features))
        """

    /// Submits one message (header and body, with CRLF) to the server at this port of 127.0.0.1. Returns the version of
    /// TLS and the extensions that it was offered, and fails if the message is refused.
    public static func send(
        port: UInt16, from sender: String, to recipient: String, message: [UInt8], mailOptions: String = "",
        recipientOptions: String = ""
    ) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "relay-smtplib-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(message).write(to: file)
        return try await ChildProcess.run(
            python,
            ["-c", Self.script, "\(port)", sender, recipient, file.path, mailOptions, recipientOptions],
            limit: .seconds(30))
    }
}
