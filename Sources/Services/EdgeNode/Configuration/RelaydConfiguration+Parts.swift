import Admission
import ClusterModel
import Delivery
import DeliveryQueue
import Inbound
import InternationalDomains
import MailModel
import PostgresDriver
import QueueStore
import RelayConfiguration
import Routing
import SMTPProtocol
import SecureResolver
import TLSEngine

// The settings as the parts of a node take them.

extension RelaydConfiguration {
    func session(of listener: Listener) -> SMTPServerSession.Configuration {
        var limits = SMTPServerLimits()
        limits.commandLineBytes = self.smtp.maxCommandLine.bytes
        limits.recipients = self.smtp.maxRecipients
        limits.messages = self.smtp.maxMessagesPerConnection
        limits.receivedFields = self.smtp.maxReceivedFields
        limits.authenticationFailures = self.smtp.maxAuthenticationFailures
        limits.errors = self.smtp.maxErrors
        limits.idleCommands = self.smtp.maxNoops
        limits.messageBytes = self.smtp.maxMessageSize.bytes
        limits.textLineBytes = self.smtp.maxTextLine.bytes
        return SMTPServerSession.Configuration(
            hostName: self.hostName(of: listener), limits: limits, domainConversion: .libidn2)
    }

    var serverTimeouts: SMTPTimeouts {
        var timeouts = SMTPTimeouts()
        timeouts.serverCommand = self.smtp.commandTimeout
        timeouts.serverHandshake = self.smtp.handshakeTimeout
        timeouts.dataBlock = self.smtp.dataTimeout
        return timeouts
    }

    var dialTimeouts: DialTimeouts {
        var timeouts = SMTPTimeouts()
        timeouts.greeting = self.delivery.greetingTimeout
        timeouts.command = self.delivery.commandTimeout
        timeouts.envelope = self.delivery.commandTimeout
        timeouts.dataInitiation = self.delivery.commandTimeout
        timeouts.handshake = self.delivery.handshakeTimeout
        timeouts.dataBlock = self.delivery.dataTimeout
        timeouts.dataTermination = self.delivery.finalDotTimeout
        timeouts.transaction = self.delivery.transactionTimeout
        return DialTimeouts(connect: self.delivery.connectTimeout, steps: timeouts)
    }

    var connectionLimits: ConnectionLimits {
        ConnectionLimits(
            total: self.smtp.maxConnections, perAddress: self.smtp.maxConnectionsPerAddress,
            perMinute: self.smtp.maxConnectionRate, clients: self.clientNetworks)
    }

    var clientNetworks: ClientNetworks {
        ClientNetworks(prefixIPv4: self.smtp.clientPrefixIPv4, prefixIPv6: self.smtp.clientPrefixIPv6)
    }

    func settings(of listener: Listener) -> ListenerSettings {
        ListenerSettings(
            name: listener.name, address: listener.address, isIPv6Only: self.smtp.leavesIPv4ToAnother(listener),
            proxies: listener.proxyProtocol
                ? TrustedProxies(networks: self.smtp.proxyNetworks, headerTime: self.smtp.proxyTimeout) : nil)
    }

    /// The most descriptors that a node with these settings opens. Beside those that settings count there are listeners,
    /// event loops, files, the resolver's sockets, and those of HTTP.
    var descriptorsNeeded: Int {
        self.smtp.maxConnections + ConnectionLimits.refusals + self.delivery.maxConnections
            + 2 * self.database.poolSize + 512
    }

    /// What a client may take its time over, beside the waits of the protocol.
    var patience: ClientPatience {
        ClientPatience(
            greetingDelay: self.smtp.greetingDelay, leastDataRate: self.smtp.minDataRate.bytes,
            sessionLifetime: self.smtp.sessionLifetime)
    }

    var authenticatorLimits: Authenticator.Limits {
        Authenticator.Limits(
            threads: self.auth.threads, waiting: self.auth.maxWaiting, failures: self.auth.maxFailures,
            failureWindow: self.auth.failureWindow, cacheTime: self.auth.cacheTime, clients: self.clientNetworks)
    }

    var callAheadLimits: CallAheadService.Limits {
        CallAheadService.Limits(
            deadline: self.callAhead.timeout,
            table: .init(
                positiveTime: self.callAhead.positiveCacheTime, negativeTime: self.callAhead.negativeCacheTime,
                entries: self.callAhead.cacheEntries),
            connections: self.callAhead.maxConnections,
            connectionsPerDomain: self.callAhead.maxConnectionsPerDomain,
            acceptsUnsure: self.callAhead.onFailure == .accept)
    }

    var storageLimits: StorageLimits {
        StorageLimits(
            messages: self.queue.maxMessages, bytes: self.queue.maxBytes.bytes,
            databaseBytes: self.queue.maxDatabaseSize.bytes)
    }

    var copyBudget: CopyBudget {
        CopyBudget(
            bytes: self.queue.maxCopyBytes.bytes, shards: self.queue.shards,
            maximumMessageBytes: self.smtp.maxMessageSize.bytes, inlineBytes: QueueLimits.inlineBody)
    }

    func stagingBudget(time: any NodeClock) -> StagingBudget {
        StagingBudget(limit: self.stagedBytes, time: time, networks: self.clientNetworks)
    }

    var traceLimits: TraceLimits {
        TraceLimits(retention: self.queue.traceRetention, bytes: self.traceBytes)
    }

    var submissionRules: SubmissionRules {
        SubmissionRules(
            addsMissingFields: self.smtp.addMissingFields, hidesClients: self.smtp.hideAuthenticatedClients)
    }

    var deliverySettings: DeliverySettings {
        DeliverySettings(
            node: self.node.name, port: self.delivery.port,
            convertsEightBit: self.delivery.eightBitConversion == .unsigned,
            connectionsPerDestination: self.delivery.maxConnectionsPerDestination,
            messagesPerConnection: self.delivery.messagesPerConnection, retries: self.retryPolicy,
            reportsFrom: Mailbox(self.dsnFrom), returnedBytes: self.dsn.maxReturnedSize.bytes,
            logsAddresses: self.telemetry.logAddresses)
    }

    var reportLimiter: ReportLimiter {
        ReportLimiter(
            ReportBudget.Limits(
                perSenderDomain: self.dsn.maxReportsPerSenderDomain, perClient: self.dsn.maxReportsPerClient),
            networks: self.clientNetworks)
    }

    var egress: EgressRoutes {
        let given = self.delivery.sourceAddresses.map {
            Egress($0.address, helloName: $0.hostName ?? self.outboundHostName)
        }
        return EgressRoutes(
            given, fallback: self.outboundHostName, ipv4First: self.delivery.addressPreference == .ipv4First)
    }

    var leaseTerms: LeaseTerms {
        LeaseTerms(timeToLive: self.queue.leaseTTL, renewalInterval: self.queue.leaseRenewal)
    }

    func poolSettings(_ primaries: PrimaryHistory) -> PoolSettings {
        var settings = QueueStore.poolSettings(connectionString: self.database.connection)
        settings.size = self.database.poolSize
        settings.connectTimeout = self.database.connectTimeout
        settings.acquireTimeout = self.database.acquireTimeout
        settings.statementTimeout = self.database.statementTimeout
        settings.primaries = primaries
        settings.requiresFsync = !self.database.allowsFsyncOff
        settings.applicationName = "relayd \(self.node.name)"
        return settings
    }

    /// One connection of its own for lease renewal, whose answers are of no use after a renewal interval.
    func leasePoolSettings(_ primaries: PrimaryHistory) -> PoolSettings {
        var settings = self.poolSettings(primaries)
        settings.size = 1
        settings.acquireTimeout = min(settings.acquireTimeout, self.queue.leaseRenewal)
        settings.statementTimeout = min(settings.statementTimeout, self.queue.leaseRenewal)
        settings.applicationName = "relayd \(self.node.name) leases"
        return settings
    }

}

extension DomainNameConversion {
    /// IDNA2008 by the adapter's tables.
    fileprivate static let libidn2 = DomainNameConversion(identifier: "libidn2") { try? DomainName(unicode: $0) }
}
