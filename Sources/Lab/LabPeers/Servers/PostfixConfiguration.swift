public import Foundation

/// What one private Postfix is to be: a receiving MX, a sending client, or both.
public struct PostfixConfiguration: Sendable {
    /// A certificate chain and its key, both PEM files.
    public struct Identity: Sendable {
        /// Chain, the server's own certificate first.
        public var chainFile: URL
        /// Its key.
        public var keyFile: URL

        /// An identity from two files.
        public init(chainFile: URL, keyFile: URL) {
            self.chainFile = chainFile
            self.keyFile = keyFile
        }
    }

    /// How the sending side uses TLS.
    public enum SendingTLS: String, Sendable {
        /// DANE or defer: nothing is sent to a host without usable TLSA records.
        case daneOnly = "dane-only"
        /// DANE where there are records, else opportunistic.
        case dane
        /// Opportunistic.
        case may
    }

    /// The name it greets with and says in EHLO.
    public var hostName: String
    /// Where it listens for SMTP.
    public var address = "127.0.0.1"
    /// Its SMTP port; 0 picks one.
    public var port: UInt16 = 0
    /// Its own certificate; without one it does not offer STARTTLS.
    public var identity: Identity?
    /// Domains whose mail it stores, whatever the local part.
    public var acceptedDomains: [String] = []
    /// How it sends everything else.
    public var sendingTLS = SendingTLS.daneOnly
    /// The validating resolver that the sending side trusts; it must listen on port 53. Without one, the system's.
    public var resolverAddress: String?
    /// The port at which MX hosts are called. DANE's records are then looked up at `_port._tcp`. So a test that is true
    /// to `_25._tcp` listens on port 25 of a loopback address of its own (`LoopbackAddress.unused(port: 25)`).
    public var destinationPort: UInt16 = 25
    /// Further parameters of main.cf.
    public var parameters: [(name: String, value: String)] = []

    /// A Postfix of this name.
    public init(hostName: String) { self.hostName = hostName }

    /// A Postfix that takes mail for `domains` and stores it.
    public static func receivingMX(_ hostName: String, domains: [String], identity: Identity?) -> Self {
        var configuration = Self(hostName: hostName)
        configuration.identity = identity
        configuration.acceptedDomains = domains
        return configuration
    }

    /// A Postfix that sends by MX with DANE, trusting the resolver at this address.
    public static func sendingClient(
        _ hostName: String, resolverAddress: String, tls: SendingTLS = .daneOnly
    ) -> Self {
        var configuration = Self(hostName: hostName)
        configuration.resolverAddress = resolverAddress
        configuration.sendingTLS = tls
        return configuration
    }
}

extension PostfixConfiguration {
    /// The account that owns stored mail; Postfix refuses to deliver as root.
    static let mailOwner: UInt32 = 65534

    /// main.cf for an instance in `folder`.
    func mainFile(in folder: URL) -> String {
        var lines = [
            "compatibility_level = 3.6",
            "config_directory = \(folder.path)/etc",
            "queue_directory = \(folder.path)/spool",
            "data_directory = \(folder.path)/data",
            "maillog_file = \(folder.path)/log/maillog",
            "maillog_file_prefixes = \(folder.path)/log",
            "inet_protocols = ipv4",
            "inet_interfaces = 127.0.0.1",
            "myhostname = \(self.hostName)",
            "mydestination =",
            "alias_maps =",
            "alias_database =",
            "mynetworks = 127.0.0.0/8",
            "append_dot_mydomain = no",
            "virtual_mailbox_domains = \(self.acceptedDomains.joined(separator: ", "))",
            "virtual_mailbox_maps = static:inbox/",
            "virtual_mailbox_base = \(folder.path)/mail",
            "virtual_uid_maps = static:\(Self.mailOwner)",
            "virtual_gid_maps = static:\(Self.mailOwner)",
            "smtp_tls_security_level = \(self.sendingTLS.rawValue)",
            "smtp_dns_support_level = dnssec",
            "smtp_host_lookup = dns",
            "smtp_tls_loglevel = 1",
            "smtp_tcp_port = \(self.destinationPort)",
            "smtpd_tls_loglevel = 1",
            "smtpd_tls_received_header = yes",
        ]
        if let identity = self.identity {
            lines += [
                "smtpd_tls_security_level = may",
                "smtpd_tls_cert_file = \(identity.chainFile.path)",
                "smtpd_tls_key_file = \(identity.keyFile.path)",
            ]
        }
        return (lines + self.parameters.map { "\($0.name) = \($0.value)" }).joined(separator: "\n") + "\n"
    }

    /// master.cf with a listener on `port`; no service runs in a chroot.
    func masterFile(port: UInt16) -> String {
        """
        \(self.address):\(port) inet n - n - - smtpd
        pickup unix n - n 5 1 pickup
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
        tlsmgr unix - - n 1000? 1 tlsmgr
        tlsproxy unix - - n - 0 tlsproxy
        rewrite unix - - n - - trivial-rewrite
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        verify unix - - n - 1 verify
        flush unix n - n 1000? 0 flush
        proxymap unix - - n - - proxymap
        smtp unix - - n - - smtp
        relay unix - - n - - smtp
        showq unix n - n - - showq
        error unix - - n - - error
        retry unix - - n - - error
        discard unix - - n - - discard
        virtual unix - n n - - virtual
        anvil unix - - n - 1 anvil
        scache unix - - n - 1 scache
        postlog unix-dgram n - n - 1 postlogd

        """
    }
}
