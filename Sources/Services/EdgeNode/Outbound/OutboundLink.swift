import DeliveryQueue
import MailModel
import NIOCore
import NIOPosix
import Routing
import SMTPProtocol
import TLSEngine
import Telemetry
import TransportSecurity

/// An open connection, the host it leads to, and what it proved; confined to its event loop.
struct OutboundLink {
    let connection: OutboundConnection
    let address: IPAddress
    let established: Established
    let warmth: WarmConnection
    /// Content goes by BDAT, if the host offers that.
    let usesChunking: Bool
    /// Its place at the site, given back when the connection is closed.
    let place: SitePlace
    /// Transactions so far.
    var messages = 0

    /// Whether it has carried as many transactions as we or the host allow (MAILMAX, RFC 9422 §4.1).
    func isUsedUp(_ settings: DeliveryEnvironment.Settings) -> Bool {
        self.messages >= min(settings.messagesPerConnection, self.connection.capabilities.maximumTransactions ?? .max)
    }

    /// Whether it may carry the next message to this host (rules 26 and 27).
    ///
    /// - Parameter mayChunk: content for this domain may go by BDAT.
    func serves(
        _ host: PlannedHost, _ requirement: AttemptRequirement, nextHopDomain: DomainName?, mayChunk: Bool
    ) -> Bool {
        guard self.connection.isReady, host.addresses.contains(self.address), mayChunk || !self.usesChunking else {
            return false
        }
        let key = ConnectionReuseKey(
            host: host.name, address: self.address, port: host.port, requirement: requirement)
        return self.warmth.serves(key, requirement: requirement, nextHopDomain: nextHopDomain)
    }
}

/// Opens connections to receiving hosts on one event loop.
struct Dialer {
    let environment: DeliveryEnvironment
    let eventLoop: any EventLoop

    /// What came of dialling one address.
    enum Outcome {
        case linked(OutboundLink)
        /// In clear, after TLS was given up for the second reason, if there is one.
        case failed(HostFailure, after: AbandonedTLS?)
    }

    /// Connects to the address of `place`, greets, and negotiates TLS as `requirement` says. An opportunistic handshake that
    /// fails is followed by another connection that offers less (rule 28); one that is owed never is.
    func dial(
        of host: PlannedHost, requirement: AttemptRequirement, nextHopDomain: DomainName, in place: SitePlace
    ) async -> Outcome {
        let address = place.address
        let usesChunking = self.usesChunking(to: address, for: nextHopDomain, in: place)
        var offer = OutboundTLS.Offer.full
        var abandoned: AbandonedTLS?
        var rejectedName: AbandonedTLS?
        while true {
            let tls = OutboundTLS(context: self.environment.tls, offer: offer)
            let (connection, opened) = await self.open(
                address, port: host.port, requirement, tls, usesChunking: usesChunking, in: place)
            switch opened {
            case .ready(var established):
                place.succeeded()
                if let abandoned { established.abandonedTLS = abandoned }
                established.rejectedName = rejectedName
                let key = ConnectionReuseKey(
                    host: host.name, address: address, port: host.port, requirement: requirement)
                let warmth = WarmConnection(
                    key: key, nextHopDomain: nextHopDomain, peer: established.peer,
                    certified: established.certified, isWithoutUsableRecords: established.isWithoutUsableRecords)
                return .linked(
                    OutboundLink(
                        connection: connection, address: address, established: established, warmth: warmth,
                        usesChunking: usesChunking, place: place))
            case .failed(let failure):
                return .failed(await self.environment.explainer.explain(failure), after: abandoned)
            case .retry(let next, let failure) where next > offer:
                offer = next
                place.retries()
                switch next {
                case .full: ()
                case .withoutServerName: rejectedName = AbandonedTLS(failure)
                case .cleartext: abandoned = AbandonedTLS(failure)
                }
            case .retry(_, let failure):
                return .failed(HostFailure(.tlsHandshakeFailed, failure.text), after: abandoned)
            }
        }
    }

    private func open(
        _ address: IPAddress, port: UInt16, _ requirement: AttemptRequirement, _ tls: OutboundTLS, usesChunking: Bool,
        in place: SitePlace
    ) async -> (OutboundConnection, OutboundConnection.Opened) {
        let (connection, opened) = self.connect(
            to: address, port: port, requirement, tls, usesChunking: usesChunking, in: place)
        // The future is always kept: by the connection, or by the failure to connect.
        return (connection, await opened.value ?? .failed(HostFailure(.connectionLost)))
    }

    private func connect(
        to address: IPAddress, port: UInt16, _ requirement: AttemptRequirement, _ tls: OutboundTLS, usesChunking: Bool,
        in place: SitePlace
    ) -> (OutboundConnection, EventLoopFuture<OutboundConnection.Opened>) {
        let settings = self.environment.settings
        let promise = self.eventLoop.makePromise(of: OutboundConnection.Opened.self)
        let connection = OutboundConnection(
            requirement: requirement, tls: tls, helloName: place.egress.helloName,
            usesChunking: usesChunking, timeouts: settings.timeouts, opened: promise,
            patience: { [weak place] in place?.patience(in: $0) ?? .stay })
        let bound = NIOLoopBound(connection, eventLoop: self.eventLoop)
        self.channel(to: address, port: port, from: place.egress.address, for: bound).assumeIsolated().whenComplete {
            switch $0 {
            case .success(let channel): self.connected(channel, to: address, in: place)
            case .failure(let error): bound.value.connectingFailed(self.notConnected(error, to: address, in: place))
            }
        }
        return (connection, promise.futureResult)
    }

    private func usesChunking(to address: IPAddress, for domain: DomainName, in place: SitePlace) -> Bool {
        self.environment.mayChunk(to: domain) && self.environment.sites.usesChunking(at: place.site)
            && !self.environment.chunkingRefusals.contains(address)
    }

    /// A connected socket, with the connection in its pipeline.
    private func channel(
        to address: IPAddress, port: UInt16, from source: IPAddress?, for connection: NIOLoopBound<OutboundConnection>
    ) -> EventLoopFuture<any Channel> {
        var bootstrap = ClientBootstrap(group: self.eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(TimeAmount(self.environment.settings.connectTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(connection.value)
                }
            }
        do {
            if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: "\(source)", port: 0)) }
            // An address needs no resolver, and no thread to ask one.
            return bootstrap.connect(to: try SocketAddress(ipAddress: "\(address)", port: Int(port)))
        } catch {
            return self.eventLoop.makeFailedFuture(error)
        }
    }

    private func connected(_ channel: any Channel, to address: IPAddress, in place: SitePlace) {
        let metrics = self.environment.metrics
        self.environment.network.connected(to: address, by: NetworkWay(to: address, by: place.egress))
        metrics.smtpConnectionsTotal.increment(.connected)
        metrics.smtpConnections.add(1)
        self.environment.channels.add(channel)
        channel.closeFuture.whenComplete { _ in
            metrics.smtpConnections.add(-1)
            // The connection has its place to the very end, QUIT included.
            withExtendedLifetime(place) {}
        }
    }

    private func notConnected(_ error: any Error, to address: IPAddress, in place: SitePlace) -> HostFailure {
        let way = NetworkWay(to: address, by: place.egress)
        let failure = self.environment.network.judge(error, to: address, by: way)
        self.environment.metrics.smtpConnectionsTotal.increment(OutboundConnectionResult(failure.failure))
        return failure
    }
}

extension OutboundConnectionResult {
    /// How connecting ended that failed so.
    fileprivate init(_ failure: FailureReason) {
        switch failure {
        case .connectionTimeout: self = .timeout
        case .hostUnreachable: self = .unreachable
        case .localNetwork: self = .local
        default: self = .refused
        }
    }
}
