import Admission
import DeliveryQueue
import MailModel

/// Every key of `relayd`'s configuration, in the order of `relayd config defaults`.
package enum ConfigurationSchema {
    private typealias Key = Setting<RelaydConfiguration>

    package static let settings: [Setting<RelaydConfiguration>] =
        smtp + connections + tls + auth + domains + callAhead + database + queue + retry + delivery + resolver
        + operation + control

    static let second = Duration.seconds(1)
    static let hour = Duration.seconds(3600)
    static let day = Duration.seconds(86_400)

    private static let smtp: [Setting<RelaydConfiguration>] = [
        Key("node.name", \.node.name, .domain(), "Name of this node: in greetings, EHLO, trace fields and logs."),
        Key(
            "smtp.listeners", \.smtp.listeners, .list(.object(listener, make: { Listener(name: "") }), atLeast: 1),
            "Addresses that take SMTP connections. hostname is the node's name unless given; with proxy-protocol only smtp.proxy-networks may connect, with a header of version 2."
        ),
        Key(
            "smtp.max-message-size", \.smtp.maxMessageSize, .size(ByteCount(65_536)...ByteCount(1 << 30)),
            "Largest message, announced as SIZE; larger ones are answered 552."),
        Key(
            "smtp.max-recipients", \.smtp.maxRecipients, .integer(100...100_000),
            "Recipients of one transaction, announced as RCPTMAX; more are answered 452."),
        Key(
            "smtp.max-messages-per-connection", \.smtp.maxMessagesPerConnection, .integer(1...1_000_000),
            "MAIL commands of one session, announced as MAILMAX; one more is answered 421 and closed."),
        Key(
            "smtp.max-received-fields", \.smtp.maxReceivedFields, .integer(1...1000),
            "Received fields of a message; one with more is in a loop and answered 554 5.4.6."),
        Key(
            "smtp.add-missing-fields", \.smtp.addMissingFields, .flag(),
            "Whether a message of a client that has proved by AUTH who it is gets Date and Message-ID fields where it has none."
        ),
        Key(
            "smtp.hide-authenticated-clients", \.smtp.hideAuthenticatedClients, .flag(),
            "Whether the Received field of such a message leaves out the client's name and address; log and trace have them."
        ),
        Key(
            "smtp.max-command-line", \.smtp.maxCommandLine, .size(ByteCount(512)...ByteCount(65_536)),
            "Longest command line, CRLF included; longer ones are answered 500."),
        Key(
            "smtp.max-text-line", \.smtp.maxTextLine, .size(ByteCount(998)...ByteCount(1 << 20)),
            "Longest line of a message, without CRLF; a message with a longer one is refused."),
        Key(
            "smtp.max-errors", \.smtp.maxErrors, .integer(1...10_000),
            "Errors since the last accepted message before the session is closed with 421."),
        Key(
            "smtp.max-noops", \.smtp.maxNoops, .integer(1...100_000),
            "Commands without effect since the last accepted message before the session is closed with 421."),
        Key(
            "smtp.max-auth-failures", \.smtp.maxAuthenticationFailures, .integer(1...1000),
            "Refused credentials in one session before it is closed with 421."),
        Key(
            "smtp.command-timeout", \.smtp.commandTimeout, .duration(second...hour),
            "Time for one whole command, however slowly it comes (RFC 5321 asks for 5m)."),
        Key(
            "smtp.data-timeout", \.smtp.dataTimeout, .duration(second...hour),
            "Time over which message data must keep smtp.min-data-rate, on the average; then 421."),
        Key(
            "smtp.min-data-rate", \.smtp.minDataRate, .size(ByteCount(1)...ByteCount(1 << 20)),
            "Bytes of message data a second that a client must keep up over smtp.data-timeout; slower ones are answered 421."
        ),
        Key(
            "smtp.handshake-timeout", \.smtp.handshakeTimeout, .duration(second...hour),
            "Time for a TLS handshake with a client; then the connection is closed."),
        Key(
            "smtp.session-lifetime", \.smtp.sessionLifetime, .duration(second...(day * 30)),
            "Time for one connection, whatever it is used for; then 421."),
    ]

    private static let listener: [Setting<Listener>] = [
        Setting("name", \.name, .string("short name"), "Label of its metrics; smtp, smtp-2 and so on unless given."),
        Setting("address", \.address, .endpoint(), isRequired: true, "Address and port."),
        Setting("hostname", \.hostName, .optional(.domain()), "Name in the greeting."),
        Setting(
            "proxy-protocol", \.proxyProtocol, .flag(), "Whether connections begin with a PROXY protocol v2 header."),
    ]

    private static let tls: [Setting<RelaydConfiguration>] = [
        Key(
            "tls.certificates", \.tls.certificates, .list(.object(certificate, make: { CertificateFiles() })),
            isReloaded: true,
            "Certificates for STARTTLS: PEM files with the chain and the key. names are the SNI names that choose one; empty means those in the certificate. The first is for all other names."
        ),
        Key(
            "tls.required", \.tls.required, .flag(),
            isReloaded: true,
            "Whether /readyz fails (503) without a certificate, or with one that has expired or is not valid yet. Such a certificate is served in any case; clients need not use TLS."
        ),
        Key(
            "tls.client-certificates", \.tls.clientCertificates,
            .object(clientCertificates, make: { ClientCertificates() }),
            isReloaded: true,
            "Clients that may send to any domain because of their certificates: those issued by an authority of ca-file, and those whose certificate or key has one of the fingerprints."
        ),
    ]

    private static let certificate: [Setting<CertificateFiles>] = [
        Setting("certificate", \.certificate, .string("path"), isRequired: true, "PEM file of the chain."),
        Setting("key", \.key, .string("path"), isRequired: true, "PEM file of the key."),
        Setting("names", \.names, .list(.domain()), "SNI names."),
    ]

    private static let domains: [Setting<RelaydConfiguration>] = [
        Key(
            "accepted-domains", \.acceptedDomains,
            .list(.object(acceptedDomain, make: { AcceptedDomainSettings(placeholder) })),
            isReloaded: true,
            "Domains whose mail is taken from anyone. next-hop is mx, a host or an address, with or without a port. recipients is any, call-ahead (the next hop is asked), or {file: path} with one local part a line; others are answered 550. tls and chunking are as in delivery.destinations."
        ),
        Key(
            "relay-networks", \.relayNetworks, .list(.network()), isReloaded: true,
            "Clients that may send to any domain."),
    ]

    private static let acceptedDomain: [Setting<AcceptedDomainSettings>] = [
        Setting("domain", \.domain, .domain(), isRequired: true, "The domain."),
        Setting("next-hop", \.nextHop, .nextHop(), "Where its mail goes."),
        Setting("recipients", \.recipients, .recipients(), "Which of its recipients exist."),
        Setting("tls", \.transport.tls, .optional(.choice()), "What TLS its next hop owes."),
        Setting(
            "tls-ca-file", \.transport.authorityFile, .optional(.string("path")), "PEM file of authorities for verify."),
        Setting("tls-name", \.transport.name, .optional(.domain()), "Name in the certificate, for verify."),
        Setting("chunking", \.transport.chunking, .optional(.flag()), "Whether content may go by BDAT."),
    ]

    /// Stands in for a required key until that is read.
    static let placeholder = RelaydConfiguration.localHostName

    private static let database: [Setting<RelaydConfiguration>] = [
        Key(
            "database.connection", \.database.connection, .string("connection string of libpq"), isSecret: true,
            "Connection string or URI of libpq; several hosts may be given."),
        Key(
            "database.allow-fsync-off", \.database.allowsFsyncOff, .flag(),
            "Whether a server with fsync = off may be used. A crash of its machine loses mail that was answered 250, so this is for tests."
        ),
        Key("database.pool-size", \.database.poolSize, .integer(1...1000), "Connections to the database."),
        Key(
            "database.connect-timeout", \.database.connectTimeout, .duration(second...hour),
            "Time to open one connection."),
        Key(
            "database.acquire-timeout", \.database.acquireTimeout, .duration(second...hour),
            "Time to wait for a free connection; then clients are answered 451."),
        Key(
            "database.statement-timeout", \.database.statementTimeout, .duration(second...hour),
            "Time for one statement."),
        Key(
            "database.snapshot-warning", \.database.snapshotWarning, .duration(second...day),
            "A transaction, slot or standby that has kept removed rows from being cleared away for so long is named in the log: it slows the queue down."
        ),
    ]

    private static let queue: [Setting<RelaydConfiguration>] =
        [
            Key(
                "queue.shards", \.queue.shards, .powerOfTwo(1...4096),
                "Shards of the queue, as fixed by relayd migrate; with another number the node does not start."),
            Key(
                "queue.lease-ttl", \.queue.leaseTTL, .duration(.seconds(5)...hour),
                "Life of a shard's lease without renewal, by the database's clock. 2s of it must be left to end a message."
            ),
            Key(
                "queue.lease-renewal", \.queue.leaseRenewal, .duration(.milliseconds(100)...hour),
                "Interval of renewal; at most half of lease-ttl."),
            Key(
                "queue.trace-retention", \.queue.traceRetention, .duration(day...(day * 3650)),
                "How long the trace of a message is kept, by whole days; of several nodes' values the least counts."),
        ] + capacity

    private static let delivery: [Setting<RelaydConfiguration>] = [
        Key(
            "delivery.hostname", \.delivery.hostName, .optional(.domain()), "Name in EHLO; node.name unless given."),
        Key(
            "delivery.source-addresses", \.delivery.sourceAddresses,
            .list(.object(sourceAddress, make: { SourceAddress() })),
            "Addresses that connections come from, and the name in EHLO for each. Of several of a family that with the fewest connections to the site is taken; of a family without any, the system's choice."
        ),
        Key(
            "delivery.address-preference", \.delivery.addressPreference, .choice(),
            "Which addresses of a host are tried first; both families take turns, unless it is one of them only."),
        Key(
            "delivery.own-addresses", \.delivery.ownAddresses, .list(.address()),
            "More addresses at which mail comes back to this node, such as those of a load balancer. An MX host at one of them, or at one that smtp.listeners cover, ends a route; if it is the best, mail bounces with 5.4.6."
        ),
        Key(
            "delivery.allow-loopback", \.delivery.allowsLoopback, .flag(),
            "Whether MX hosts may be on loopback. For tests; otherwise mail for such a domain bounces with 5.4.6."),
        Key("delivery.port", \.delivery.port, .port(), "Port of receiving hosts found by MX."),
        Key(
            "delivery.max-connections", \.delivery.maxConnections, .integer(1...100_000),
            "Open connections to all receiving hosts."),
        Key(
            "delivery.max-connections-per-destination", \.delivery.maxConnectionsPerDestination, .integer(1...10_000),
            "Deliveries for one recipient domain that go on at once, and so its connections."),
        Key(
            "delivery.max-connections-per-site", \.delivery.maxConnectionsPerSite, .integer(1...10_000),
            isReloaded: true,
            "Open connections from one of our addresses to one site: all domains with the same MX hosts. More wait in line."
        ),
        Key(
            "delivery.site-rate", \.delivery.siteRate, .integer(0...1_000_000),
            isReloaded: true,
            "Messages a minute from one of our addresses to one site, evenly spread; 0 is no limit. More wait."),
        Key(
            "delivery.sites", \.delivery.sites,
            .list(.object(siteRule, make: { SiteRule(DomainPattern(placeholder)) })),
            isReloaded: true,
            "Other limits for some sites. mx is a host or *.domain; all hosts that match are one site, and the first rule counts."
        ),
        Key(
            "delivery.messages-per-connection", \.delivery.messagesPerConnection, .integer(1...1_000_000),
            "Messages sent on one connection before it is closed."),
        Key(
            "delivery.chunking", \.delivery.chunking, .flag(),
            isReloaded: true,
            "Send content by BDAT (RFC 3030) to hosts that offer CHUNKING and PIPELINING; DATA otherwise."),
        Key(
            "delivery.eight-bit-conversion", \.delivery.eightBitConversion, .choice(),
            "Which 8-bit messages become quoted-printable for hosts without 8BITMIME: none, or those that nothing signs or encrypts. Others go to another host of the domain, or bounce with 5.6.3."
        ),
        Key(
            "delivery.insecure-mx", \.delivery.insecureMX, .choice(),
            "What TLSA records are worth where the MX record is not signed."),
        Key(
            "delivery.destinations", \.delivery.destinations,
            .list(.object(destinationRule, make: { DestinationRule(DomainPattern(placeholder)) })),
            isReloaded: true,
            "What hosts owe for mail to some recipient domains. domain is one, or *.domain for all below it, and the first rule counts; what accepted-domains say comes first. tls is opportunistic, encrypt (TLS with whomever, never in clear), dane (TLSA records are required) or verify (a certificate for tls-name, by an authority of tls-ca-file, or of the system). DANE is owed where a host has it, whatever tls says."
        ),
        Key(
            "delivery.tls-exceptions", \.delivery.tlsExceptions,
            .list(.object(tlsException, make: { TLSException(DomainPattern(placeholder), until: .first) })),
            isReloaded: true,
            "Recipient domains whose hosts owe nothing until a day, whatever DANE and tls demand: their mail goes in clear if TLS fails. The log and `config check` warn of each."
        ),
        Key(
            "delivery.connect-timeout", \.delivery.connectTimeout, .duration(second...hour),
            "Time to connect to one address."),
        Key(
            "delivery.greeting-timeout", \.delivery.greetingTimeout, .duration(second...hour), "Time for the greeting."),
        Key(
            "delivery.command-timeout", \.delivery.commandTimeout, .duration(second...hour),
            "Time for the reply to EHLO, STARTTLS, MAIL, RCPT, DATA."),
        Key(
            "delivery.handshake-timeout", \.delivery.handshakeTimeout, .duration(second...hour),
            "Time for the TLS handshake."),
        Key(
            "delivery.data-timeout", \.delivery.dataTimeout, .duration(second...hour),
            "Time without progress within message data."),
        Key(
            "delivery.final-dot-timeout", \.delivery.finalDotTimeout, .duration(second...hour),
            "Time for the reply to the end of data."),
        Key(
            "delivery.transaction-timeout", \.delivery.transactionTimeout, .duration(second...day),
            "Time from MAIL to the end of data, however steadily the host answers or reads."),
    ]

    private static let sourceAddress: [Setting<SourceAddress>] = [
        Setting("address", \.address, .address(), isRequired: true, "The address."),
        Setting("hostname", \.hostName, .optional(.domain()), "Name in EHLO."),
    ]

    private static let siteRule: [Setting<SiteRule>] = [
        Setting("mx", \.mx, .domainPattern(), isRequired: true, "MX hosts."),
        Setting("max-connections", \.maxConnections, .optional(.integer(1...10_000)), "Open connections."),
        Setting("rate", \.rate, .optional(.integer(0...1_000_000)), "Messages a minute."),
        Setting(
            "chunking", \.chunking, .optional(.flag()),
            "Whether content may go by BDAT; comes before delivery.chunking."),
    ]

    private static let destinationRule: [Setting<DestinationRule>] = [
        Setting("domain", \.domain, .domainPattern(), isRequired: true, "Recipient domains."),
        Setting("tls", \.transport.tls, .optional(.choice()), "What TLS their hosts owe."),
        Setting(
            "tls-ca-file", \.transport.authorityFile, .optional(.string("path")), "PEM file of authorities for verify."),
        Setting("tls-name", \.transport.name, .optional(.domain()), "Name in the certificate, for verify."),
        Setting(
            "chunking", \.transport.chunking, .optional(.flag()),
            "Whether content may go by BDAT; comes before delivery.sites and delivery.chunking."),
    ]

    private static let tlsException: [Setting<TLSException>] = [
        Setting("domain", \.domain, .domainPattern(), isRequired: true, "Recipient domains."),
        Setting("reason", \.reason, .string(), isRequired: true, "Why, for whoever reads the warning."),
        Setting("until", \.until, .day(), isRequired: true, "The first day, in UTC, without the exception."),
    ]

    private static let resolver: [Setting<RelaydConfiguration>] = [
        Key(
            "resolver.trust-anchor-files", \.resolver.trustAnchorFiles, .list(.string("path"), atLeast: 1),
            "Files with DNSSEC trust anchors."),
        Key(
            "resolver.root-hints", \.resolver.rootHints, .optional(.string("path")),
            "File with the root servers; built-in ones unless given."),
        Key(
            "resolver.forwarders", \.resolver.forwarders, .list(.endpoint(defaultPort: 53)),
            "Servers to ask instead of the authoritative ones; answers are validated all the same."),
        Key(
            "resolver.stubs", \.resolver.stubs, .list(.object(stub, make: { ResolverStub(placeholder) })),
            "Zones to ask for at given servers."),
        Key(
            "resolver.options", \.resolver.options, .textMapping(),
            "Options of libunbound by name. Those that could weaken validation are refused."),
        Key(
            "resolver.unvalidated-domains", \.resolver.unvalidatedDomains,
            .list(.object(unvalidatedDomain, make: { UnvalidatedDomainRule(placeholder, until: .first) })),
            "Domains whose answers are believed without DNSSEC, and so have no DANE, until a day. The log and `config check` warn of each."
        ),
        Key(
            "resolver.cache-entries", \.resolver.cacheEntries, .integer(0...100_000_000),
            "Validated answers kept in memory."),
        Key("resolver.timeout", \.resolver.timeout, .duration(second...hour), "Time for one look-up."),
        Key(
            "resolver.sandbox", \.resolver.sandbox, .choice(),
            "Whether the resolver's process must lock itself in (seccomp, limits, no root). Off only where the system forbids that."
        ),
    ]

    private static let unvalidatedDomain: [Setting<UnvalidatedDomainRule>] = [
        Setting("domain", \.domain, .domain(), isRequired: true, "The domain, with all names below it."),
        Setting("reason", \.reason, .string(), isRequired: true, "Why, for whoever reads the warning."),
        Setting("until", \.until, .day(), isRequired: true, "The first day, in UTC, on which it is validated again."),
    ]

    private static let stub: [Setting<ResolverStub>] = [
        Setting("zone", \.zone, .domain(), isRequired: true, "The zone."),
        Setting("servers", \.servers, .list(.endpoint(defaultPort: 53), atLeast: 1), isRequired: true, "Its servers."),
    ]

    private static let operation: [Setting<RelaydConfiguration>] = [
        Key(
            "dsn.from", \.dsn.from, .optional(.mailbox()),
            "From address of delivery reports; mailer-daemon at the node's name unless given."),
        Key(
            "dsn.max-returned-size", \.dsn.maxReturnedSize, .size(ByteCount(0)...ByteCount(65_536)),
            "Largest message that a report of failure gives back whole where RET=FULL asks for it; of others the header. A report has at most 64 KiB, or gives back the header only."
        ),
        Key(
            "dsn.max-reports-per-sender-domain", \.dsn.maxReportsPerSenderDomain, .integer(0...1_000_000),
            "Reports in an hour to one sender domain on messages of clients that may not relay, a tenth of them for one client; further ones are dropped. 0 for any number."
        ),
        Key(
            "dsn.max-reports-per-client", \.dsn.maxReportsPerClient, .integer(0...1_000_000),
            "Reports in an hour that the messages of one client cause that may not relay; further ones are dropped. 0 for any number."
        ),
        Key(
            "dsn.postmaster", \.dsn.postmaster, .optional(.mailbox()),
            "Address for mail to the bare <Postmaster>; without it such mail is taken only if the node's name is an accepted domain."
        ),
        Key(
            "telemetry.address", \.telemetry.address, .endpoint(),
            "Where /metrics, /livez, /readyz and /startupz are served, without TLS."),
        Key("telemetry.log-level", \.telemetry.logLevel, .choice(), "Least level of log lines."),
        Key(
            "telemetry.log-addresses", \.telemetry.logAddresses, .flag(),
            "Whether log lines have whole addresses of senders and recipients, and not their domains alone; a host's words in a reply, and names of users, stay as they are."
        ),
        Key(
            "drain.delay", \.drain.delay, .duration(.zero...hour),
            "Time between /readyz turning 503 and the end of listening."),
        Key(
            "drain.timeout", \.drain.timeout, .duration(second...hour), "Time for open transactions to end after that."),
    ]
}

extension ConfigurationSchema {
    /// What must hold between keys.
    static func inconsistencies(
        in configuration: RelaydConfiguration, _ dialect: ConfigurationDialect
    ) -> [(key: String, message: String)] {
        var found: [(key: String, message: String)] = []
        if configuration.queue.leaseRenewal * 2 > configuration.queue.leaseTTL {
            found.append(("queue.lease-renewal", "must be at most half of queue.lease-ttl"))
        }
        // Whoever waits longer than a lease lasts may find the shard with another owner.
        if configuration.database.acquireTimeout >= configuration.queue.leaseTTL {
            found.append(("database.acquire-timeout", "must be less than queue.lease-ttl"))
        }
        if configuration.database.statementTimeout >= configuration.queue.leaseTTL {
            found.append(("database.statement-timeout", "must be less than queue.lease-ttl"))
        }
        let listeners = configuration.smtp.listeners.map(\.name)
        if Set(listeners).count < listeners.count {
            found.append(("smtp.listeners", "two listeners have the same name"))
        }
        if let (one, other) = configuration.smtp.overlap {
            let addresses = [one, other].map { "\(configuration.smtp.listeners[$0].address)" }
            found.append(
                ("smtp.listeners", "[\(one)] \(addresses[0]) and [\(other)] \(addresses[1]) are in each other's way"))
        }
        if configuration.smtp.listeners.contains(where: \.proxyProtocol), configuration.smtp.proxyNetworks.isEmpty {
            found.append(("smtp.proxy-networks", "must not be empty where a listener has proxy-protocol"))
        }
        if let problem = dialect.connectionFault(configuration.database.connection) {
            found.append(("database.connection", problem))
        }
        found += Self.policyInconsistencies(in: configuration)
        found += Self.transportInconsistencies(in: configuration)
        let domains = configuration.acceptedDomains.map(\.domain)
        if let twice = domains.first(where: { domain in domains.filter { $0 == domain }.count > 1 }) {
            found.append(("accepted-domains", "\(twice) is there twice"))
        }
        return found
    }
}
