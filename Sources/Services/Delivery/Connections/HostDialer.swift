import MailModel
import NIOCore
package import SMTPProtocol
import ServiceSupport
import Telemetry

/// Opens connections to receiving hosts.
protocol HostDialer: Sendable {
    /// Connects to the address of `slot`, as `demand` says; see `Dialer.dial`.
    func dial(
        _ demand: LinkDemand, in slot: ConnectionSlot, on eventLoop: any EventLoop
    ) async -> Result<PooledConnection, HostFailure>

    /// Closes what it has opened, and whatever it opens from now on.
    func closeAll()

    /// Another one for a single question, whose steps take no longer than this: its connections are closed apart.
    func limited(to limit: Duration) -> any HostDialer
}

/// How long hosts are waited for.
package struct DialTimeouts: Sendable {
    /// For a TCP connection.
    var connect: Duration
    /// For each step of SMTP.
    var steps: SMTPTimeouts

    package init(connect: Duration, steps: SMTPTimeouts) {
        self.connect = connect
        self.steps = steps
    }

    /// The same, with no wait longer than `limit` but for those that follow the envelope.
    fileprivate func bounded(by limit: Duration) -> DialTimeouts {
        var bounded = self
        bounded.connect = min(bounded.connect, limit)
        bounded.steps.greeting = min(bounded.steps.greeting, limit)
        bounded.steps.command = min(bounded.steps.command, limit)
        bounded.steps.envelope = min(bounded.steps.envelope, limit)
        bounded.steps.handshake = min(bounded.steps.handshake, limit)
        return bounded
    }
}

/// Opens them over the network.
struct NetworkDialer: HostDialer {
    private(set) var timeouts: DialTimeouts
    /// Says in words why a host's certificates were refused.
    let explainer: RefusalExplainer
    /// Knows whether connections can be opened from here.
    let network: NetworkMonitor
    /// Those that are open.
    private(set) var channels: ChannelRegistry
    /// Hosts that get no BDAT, whatever they offer.
    let chunkingRefusals: ChunkingRefusals
    let metrics: DeliveryMetrics
    let time: any NodeClock

    init(
        _ timeouts: DialTimeouts, network: NetworkMonitor, chunkingRefusals: ChunkingRefusals,
        metrics: DeliveryMetrics, time: any NodeClock
    ) {
        self.timeouts = timeouts
        self.explainer = RefusalExplainer(time: time)
        self.network = network
        self.channels = ChannelRegistry(time: time)
        self.chunkingRefusals = chunkingRefusals
        self.metrics = metrics
        self.time = time
    }

    func dial(
        _ demand: LinkDemand, in slot: ConnectionSlot, on eventLoop: any EventLoop
    ) async -> Result<PooledConnection, HostFailure> {
        await Dialer(means: self, eventLoop: eventLoop).dial(demand, in: slot)
    }

    func closeAll() { self.channels.closeAll() }

    func limited(to limit: Duration) -> any HostDialer {
        var dialer = self
        dialer.timeouts = self.timeouts.bounded(by: limit)
        dialer.channels = ChannelRegistry(time: self.time)
        return dialer
    }
}
