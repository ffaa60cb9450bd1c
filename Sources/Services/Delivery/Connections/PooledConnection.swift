import DeliveryQueue
import MailModel
import NIOCore
import NIOPosix
import NodeState
import Routing
import SMTPProtocol
import ServiceSupport
import TLSEngine
import Telemetry
import TransportSecurity

/// What a message needs of a connection.
struct LinkDemand {
    let host: PlannedHost
    let requirement: AttemptRequirement
    let nextHopDomain: DomainName
    /// What the node serves by, as the attempt began.
    let state: NodeState
    /// Content may go by BDAT, where the host offers that.
    let mayChunk: Bool

    init(
        _ host: PlannedHost, _ requirement: AttemptRequirement, nextHopDomain: DomainName, at site: ReceivingSite,
        by state: NodeState
    ) {
        self.host = host
        self.requirement = requirement
        self.nextHopDomain = nextHopDomain
        self.state = state
        self.mayChunk = state.usesChunking(to: nextHopDomain, at: site)
    }

    /// What a connection to this address is good for.
    func purpose(at address: IPAddress) -> ConnectionReuseKey {
        ConnectionReuseKey(
            host: self.host.name, address: address, port: self.host.port, requirement: self.requirement)
    }
}

/// An open connection, the host it leads to, and what it proved; confined to its event loop.
struct PooledConnection {
    let connection: any HostConnection
    let address: IPAddress
    let established: Established
    let warmth: WarmConnection
    /// Content goes by BDAT, if the host offers that.
    let usesChunking: Bool
    /// The state by which it was opened.
    let stateVersion: UInt64
    /// Its slot at the site, given back when the connection is closed.
    let slot: ConnectionSlot
    /// Transactions so far.
    var messages = 0

    /// Whether it has carried as many transactions as we, who allow `limit`, or the host allow (MAILMAX, RFC 9422 §4.1).
    func isUsedUp(after limit: Int) -> Bool {
        self.messages >= min(limit, self.connection.capabilities.maximumTransactions ?? .max)
    }

    /// Whether it may carry the next message to this host (rules 26 and 27).
    ///
    /// A connection of another state is used no more. What it proved may not be what is demanded now, and the file of
    /// its authorities may hold others.
    func serves(_ demand: LinkDemand) -> Bool {
        guard self.connection.isReady, self.stateVersion == demand.state.version,
            demand.host.addresses.contains(self.address), demand.mayChunk || !self.usesChunking
        else { return false }
        return self.warmth.serves(
            demand.purpose(at: self.address), requirement: demand.requirement, nextHopDomain: demand.nextHopDomain)
    }
}

/// Opens connections to receiving hosts on one event loop.
struct Dialer {
    let means: NetworkDialer
    let eventLoop: any EventLoop

    /// Connects to the address of `slot`, greets, and negotiates TLS as `demand` says. An opportunistic handshake that
    /// fails is followed by another connection that offers less (rule 28); one that is owed never is.
    func dial(_ demand: LinkDemand, in slot: ConnectionSlot) async -> Result<PooledConnection, HostFailure> {
        let address = slot.address
        let usesChunking =
            demand.mayChunk && !self.means.chunkingRefusals.contains(address, at: self.means.time.now)
        var offer = TLSOffer.full
        var abandoned: AbandonedTLS?
        var rejectedName: AbandonedTLS?
        while true {
            let (connection, opened) = await self.open(
                address, demand, offering: offer, usesChunking: usesChunking, in: slot)
            switch opened {
            case .ready(var established):
                slot.succeeded()
                if let abandoned { established.abandonedTLS = abandoned }
                established.rejectedName = rejectedName
                let warmth = WarmConnection(
                    key: demand.purpose(at: address), nextHopDomain: demand.nextHopDomain, proof: established.proof,
                    isWithoutUsableRecords: established.isWithoutUsableRecords)
                return .success(
                    PooledConnection(
                        connection: connection, address: address, established: established, warmth: warmth,
                        usesChunking: usesChunking, stateVersion: demand.state.version, slot: slot))
            case .failed(var failure):
                failure = await self.means.explainer.explain(failure)
                failure.abandonedTLS = abandoned
                return .failure(failure)
            case .retry(let next, let failure) where next > offer:
                offer = next
                slot.retries()
                switch next {
                case .full: ()
                case .withoutServerName: rejectedName = AbandonedTLS(failure)
                case .cleartext: abandoned = AbandonedTLS(failure)
                }
            case .retry(_, let reason):
                var failure = HostFailure(.tlsHandshakeFailed, reason.text)
                failure.abandonedTLS = abandoned
                return .failure(failure)
            }
        }
    }

    private func open(
        _ address: IPAddress, _ demand: LinkDemand, offering offer: TLSOffer, usesChunking: Bool,
        in slot: ConnectionSlot
    ) async -> (OutboundConnection, OutboundConnection.Opened) {
        let (connection, opened) = self.connect(
            to: address, demand, offering: offer, usesChunking: usesChunking, in: slot)
        // The future is always kept: by the connection, or by the failure to connect.
        return (connection, await opened.value ?? .failed(HostFailure(.connectionLost)))
    }

    private func connect(
        to address: IPAddress, _ demand: LinkDemand, offering offer: TLSOffer, usesChunking: Bool,
        in slot: ConnectionSlot
    ) -> (OutboundConnection, EventLoopFuture<OutboundConnection.Opened>) {
        let promise = self.eventLoop.makePromise(of: OutboundConnection.Opened.self)
        let connection = OutboundConnection(
            requirement: demand.requirement, tls: demand.state.tls, offer: offer,
            helloName: slot.egress.helloName, usesChunking: usesChunking, timeouts: self.means.timeouts.steps,
            opened: promise,
            patience: { [weak slot] in slot?.patience(in: $0) ?? .stay })
        let bound = NIOLoopBound(connection, eventLoop: self.eventLoop)
        // The channel has the slot to its very end, QUIT included.
        slot.use()
        self.channel(
            to: address, port: demand.host.port, from: slot.egress.address, for: bound
        ).assumeIsolated().whenComplete {
            switch $0 {
            case .success(let channel): self.connected(channel, to: address, in: slot)
            case .failure(let error):
                bound.value.connectingFailed(self.notConnected(error, to: address, in: slot))
                slot.release()
            }
        }
        return (connection, promise.futureResult)
    }

    /// A connected socket, with the connection in its pipeline.
    private func channel(
        to address: IPAddress, port: UInt16, from source: IPAddress?, for connection: NIOLoopBound<OutboundConnection>
    ) -> EventLoopFuture<any Channel> {
        var bootstrap = ClientBootstrap(group: self.eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(TimeAmount(self.means.timeouts.connect))
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

    private func connected(_ channel: any Channel, to address: IPAddress, in slot: ConnectionSlot) {
        let metrics = self.means.metrics
        self.means.network.connected(to: address, by: EgressRoute(to: address, by: slot.egress))
        metrics.smtpConnectionsTotal.increment(.connected)
        metrics.smtpConnections.add(1)
        self.means.channels.add(channel)
        channel.closeFuture.whenComplete { _ in
            metrics.smtpConnections.add(-1)
            slot.release()
        }
    }

    private func notConnected(_ error: any Error, to address: IPAddress, in slot: ConnectionSlot) -> HostFailure {
        let route = EgressRoute(to: address, by: slot.egress)
        let failure = self.means.network.judge(error, to: address, by: route)
        self.means.metrics.smtpConnectionsTotal.increment(OutboundConnectionResult(failure.failure))
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
