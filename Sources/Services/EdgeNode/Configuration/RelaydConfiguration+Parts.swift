import DANE
import DeliveryQueue
import MailModel
import PostgresDriver
import QueueStore
import SMTPProtocol
import SecureResolver

// The settings as the parts of a node take them.

extension RelaydConfiguration {
    func session(of listener: Listener, hasTLS: Bool) -> SMTPServerSession.Configuration {
        var limits = SMTPServerLimits()
        limits.commandLineBytes = self.smtp.maxCommandLine.bytes
        limits.recipients = self.smtp.maxRecipients
        limits.errors = self.smtp.maxErrors
        limits.idleCommands = self.smtp.maxNoops
        limits.messageBytes = self.smtp.maxMessageSize.bytes
        limits.textLineBytes = self.smtp.maxTextLine.bytes
        return SMTPServerSession.Configuration(
            hostName: self.hostName(of: listener), offersSTARTTLS: hasTLS, limits: limits)
    }

    var serverTimeouts: SMTPTimeouts {
        var timeouts = SMTPTimeouts()
        timeouts.serverCommand = self.smtp.commandTimeout
        timeouts.serverHandshake = self.smtp.handshakeTimeout
        timeouts.dataBlock = self.smtp.dataTimeout
        return timeouts
    }

    var clientTimeouts: SMTPTimeouts {
        var timeouts = SMTPTimeouts()
        timeouts.greeting = self.delivery.greetingTimeout
        timeouts.command = self.delivery.commandTimeout
        timeouts.envelope = self.delivery.commandTimeout
        timeouts.dataInitiation = self.delivery.commandTimeout
        timeouts.handshake = self.delivery.handshakeTimeout
        timeouts.dataBlock = self.delivery.dataTimeout
        timeouts.dataTermination = self.delivery.finalDotTimeout
        return timeouts
    }

    var connectionLimits: ConnectionLimiter.Limits {
        ConnectionLimiter.Limits(total: self.smtp.maxConnections, perAddress: self.smtp.maxConnectionsPerAddress)
    }

    /// Throws when the postmaster's address is none.
    func inboundPolicy() throws -> InboundPolicy {
        guard let postmaster = Mailbox(self.postmaster) else {
            throw EdgeNodeError("dsn.postmaster is not a mailbox: \(self.postmaster)")
        }
        let domains = self.acceptedDomains.map { ($0.domain, $0.nextHop.routed) }
        return InboundPolicy(
            acceptedDomains: Dictionary(domains) { first, _ in first }, relayNetworks: self.relayNetworks,
            postmaster: postmaster)
    }

    var deliverySettings: DeliveryEnvironment.Settings {
        DeliveryEnvironment.Settings(
            node: self.node.name, helloName: self.outboundHostName, port: self.delivery.port,
            connectTimeout: self.delivery.connectTimeout, timeouts: self.clientTimeouts,
            usesChunking: self.delivery.chunking,
            connectionsPerDestination: self.delivery.maxConnectionsPerDestination,
            messagesPerConnection: self.delivery.messagesPerConnection, schedule: self.retrySchedule,
            reportsFrom: Mailbox(self.dsnFrom))
    }

    /// The loader has checked that the waits are positive, so the schedule exists.
    var retrySchedule: RetrySchedule {
        RetrySchedule(
            delays: self.retry.schedule, securityLifetime: self.retry.daneLifetime, lifetime: self.retry.lifetime)
            ?? .standard
    }

    var routePolicy: RoutePolicy {
        var policy = RoutePolicy()
        // An MX that is ourselves would send the mail round in circles (RFC 5321 §5.1).
        policy.ownNames = Set(self.smtp.listeners.map { self.hostName(of: $0) } + [self.node.name])
        policy.insecureMX =
            switch self.delivery.insecureMX {
            case .authenticate: .authenticate
            case .encrypt: .encrypt
            case .ignore: .ignore
            }
        return policy
    }

    var leaseTerms: LeaseTerms {
        LeaseTerms(timeToLive: self.queue.leaseTTL, renewalInterval: self.queue.leaseRenewal)
    }

    var poolSettings: PoolSettings {
        var settings = QueueStore.poolSettings(connectionString: self.database.connection)
        settings.size = self.database.poolSize
        settings.connectTimeout = self.database.connectTimeout
        settings.acquireTimeout = self.database.acquireTimeout
        settings.statementTimeout = self.database.statementTimeout
        settings.applicationName = "relayd \(self.node.name)"
        return settings
    }

    /// One connection of its own for lease renewal, whose answers are of no use after a renewal interval.
    var leasePoolSettings: PoolSettings {
        var settings = self.poolSettings
        settings.size = 1
        settings.acquireTimeout = min(settings.acquireTimeout, self.queue.leaseRenewal)
        settings.statementTimeout = min(settings.statementTimeout, self.queue.leaseRenewal)
        settings.applicationName = "relayd \(self.node.name) leases"
        return settings
    }

    var resolverSettings: SecureResolverSettings {
        var settings = SecureResolverSettings()
        settings.trustAnchors = self.resolver.trustAnchorFiles.map { .file($0) }
        settings.rootHints = self.resolver.rootHints
        settings.forwarders = self.resolver.forwarders.map { .init($0.address, port: $0.port) }
        settings.stubZones = self.resolver.stubs.map { stub in
            .init(stub.zone, servers: stub.servers.map { .init($0.address, port: $0.port) })
        }
        settings.options = self.resolver.options.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }
        settings.cacheEntries = self.resolver.cacheEntries
        settings.queryDeadline = self.resolver.timeout
        return settings
    }
}

/// Why a node does not start.
public struct EdgeNodeError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension ConfiguredNextHop {
    /// As route planning takes it; `nil` is by MX.
    fileprivate var routed: NextHop? {
        switch self {
        case .mx: nil
        case .host(let name, let port): .host(name, port: port)
        case .address(let endpoint): .address(endpoint.address, port: endpoint.port)
        }
    }
}
