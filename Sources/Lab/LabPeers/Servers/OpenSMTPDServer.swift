public import Foundation
import LabSupport

/// A private OpenSMTPD (Debian's, unpacked): an MX with STARTTLS and DSN, and a sender with opportunistic TLS.
public final class OpenSMTPDServer: MailServer {
    /// Why there can be no OpenSMTPD here; a test skips with this as its reason.
    public static var unavailable: String? { UnpackedPeer.openSMTPD.unavailable }

    public let address: String
    public let port: UInt16
    private let folder: URL
    private let process: ChildProcess

    public var logFile: URL { self.folder.appending(path: "log/console") }
    public var inbox: URL { self.folder.appending(path: "mail/new") }

    /// Starts an OpenSMTPD in `folder`, which must exist, and waits until it answers.
    public static func start(_ settings: MailServerSettings, in folder: URL) async throws -> OpenSMTPDServer {
        if let reason = Self.unavailable { throw LabFailure(reason) }
        let empty = "/var/lib/opensmtpd/empty"
        let accounts = [
            PrivateHost.Account(name: "opensmtpd", id: 901, home: empty),
            PrivateHost.Account(name: "opensmtpq", id: 902, home: empty),
        ]
        let host = try PrivateHost(in: folder, accounts: accounts, resolverAddress: settings.resolverAddress)
        try host.makeFolder("var/lib/opensmtpd/empty")
        // It refuses to start with any other mode.
        try host.makeFolder("var/spool/smtpd", mode: 0o711)
        try host.write(Self.configuration(settings, folder.path), to: "etc/smtpd.conf")
        try host.write("\(settings.hostName)\n", to: "etc/mailname")
        // In its own file, since the configuration has a meaning of its own for "$" and quotes.
        try host.write(
            "cd '\(folder.path)/mail' && file=$(mktemp tmp/XXXXXX) && cat > $file && mv $file new/\n", to: "store")
        let process = try await host.launch(.openSMTPD, ["-d", "-F", "-v"])
        let server = OpenSMTPDServer(settings, folder, process)
        try await process.ready(within: .seconds(10), "smtpd") {
            await (try? SMTPDialog.with(address: settings.address, port: settings.port) { try await $0.hello() }) != nil
        }
        return server
    }

    private init(_ settings: MailServerSettings, _ folder: URL, _ process: ChildProcess) {
        self.address = settings.address
        self.port = settings.port
        self.folder = folder
        self.process = process
    }

    public func stop() async { await self.process.stop() }

    private static func configuration(_ settings: MailServerSettings, _ folder: String) -> String {
        """
        pki peer cert "\(settings.identity.chainFile.path)"
        pki peer key "\(settings.identity.keyFile.path)"
        listen on \(settings.address) port \(settings.port) tls pki peer hostname \(settings.hostName)
        action "store" mda "/bin/sh \(folder)/store" virtual { "@" = nobody }
        action "send" relay helo \(settings.hostName)
        match from any for domain { \(settings.acceptedDomains.joined(separator: ", ")) } action "store"
        match from any for any action "send"

        """
    }
}
