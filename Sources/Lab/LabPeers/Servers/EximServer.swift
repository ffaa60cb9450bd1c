public import Foundation
import LabSupport

/// A private Exim (Debian's, unpacked): an MX with STARTTLS, CHUNKING, SMTPUTF8 and DSN, and a sender that insists on DANE.
public final class EximServer: MailServer {
    /// Why there can be no Exim here; a test skips with this as its reason.
    public static var unavailable: String? { UnpackedPeer.exim.unavailable }

    public let address: String
    public let port: UInt16
    private let folder: URL
    private let process: ChildProcess

    public var logFile: URL { self.folder.appending(path: "log/mainlog") }
    public var inbox: URL { self.folder.appending(path: "mail/new") }

    /// Starts an Exim in `folder`, which must exist, and waits until it answers.
    public static func start(_ settings: MailServerSettings, in folder: URL) async throws -> EximServer {
        if let reason = Self.unavailable { throw LabFailure(reason) }
        let account = PrivateHost.Account(name: "Debian-exim", id: 900, home: "/var/spool/exim4")
        let host = try PrivateHost(in: folder, accounts: [account], resolverAddress: settings.resolverAddress)
        for path in ["var/spool/exim4", "log", "tls"] { try host.makeFolder(path, owner: account.id) }
        // It reads the key under its own account.
        let key = try String(contentsOf: settings.identity.keyFile, encoding: .utf8)
        try host.write(key, to: "tls/key.pem")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600, .ownerAccountID: account.id],
            ofItemAtPath: folder.appending(path: "tls/key.pem").path)
        let chain = try String(contentsOf: settings.identity.chainFile, encoding: .utf8)
        try host.write(chain, to: "tls/chain.pem")
        try host.makeFolder("etc/exim4")
        try host.write(Self.configuration(settings, folder.path), to: "etc/exim4/exim4.conf")
        let process = try await host.launch(.exim, ["-bdf", "-q10s"])
        let server = EximServer(settings, folder, process)
        try await process.ready(within: .seconds(10), "exim") {
            !server.logLines(containing: "daemon started").isEmpty
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
        exim_path = \(UnpackedPeer.exim.program)
        primary_hostname = \(settings.hostName)
        local_interfaces = <; [\(settings.address)]:\(settings.port)
        pid_file_path = /run/exim.pid
        log_file_path = \(folder)/log/%slog
        log_selector = +tls_cipher +tls_sni +tls_certificate_verified +smtp_confirmation +received_recipients \
          +dnssec +pipelining
        tls_advertise_hosts = *
        tls_certificate = \(folder)/tls/chain.pem
        tls_privatekey = \(folder)/tls/key.pem
        smtputf8_advertise_hosts = *
        chunking_advertise_hosts = *
        dsn_advertise_hosts = *
        dns_dnssec_ok = 1
        keep_environment =
        rfc1413_query_timeout = 0s
        smtp_accept_max = 100
        acl_smtp_rcpt = accept
        acl_smtp_data = accept

        begin acl

        begin routers
        inbox:
          driver = accept
          domains = \(settings.acceptedDomains.joined(separator: " : "))
          transport = store
        away:
          driver = dnslookup
          dnssec_request_domains = *
          transport = send
          self = send

        begin transports
        store:
          driver = appendfile
          directory = \(folder)/mail
          maildir_format
          user = \(PrivateHost.mailOwner)
          group = \(PrivateHost.mailOwner)
        send:
          driver = smtp
          dnssec_request_domains = *
          hosts_require_dane = *

        begin retry
        * * F,1h,10s

        """
    }
}
