import DANE
import DNSModel
import MailModel
import NIOCore
import NodeState
import RouteLookup
import Routing
import TransportSecurity

@testable import Delivery

/// The network as a node sees it: every domain has a next hop with one address, where its peer is.
struct SimulatedHosts: RouteSource, HostDialer, @unchecked Sendable {
    private unowned let node: SimulatedNode

    init(_ node: SimulatedNode) { self.node = node }

    private func pause() async {
        await self.node.value(orEnd: ()) { then in self.node.after(self.node.aMoment()) { then(()) } }
    }

    // MARK: - Routes

    func route(to nextHop: NextHop) async -> Result<Route, NoRoute> {
        await self.pause()
        guard case .address(let address, let port) = nextHop, let peer = self.node.peer(at: address) else {
            preconditionFailure("every domain has a peer")
        }
        switch peer.mood {
        case .noResolver: return .failure(.failed(.dnsQueryFailed(peer.question, .resolverUnavailable("simulated"))))
        case .noDNS:
            self.node.hasFailed(peer)
            return .failure(.failed(.dnsQueryFailed(peer.question, .serverFailure)))
        default:
            return .success(
                Route(
                    to: PlannedHost(name: peer.host, port: port, addresses: [address], requirement: .opportunistic)))
        }
    }

    func confirms(_ host: PlannedHost, at address: IPAddress, for nextHop: NextHop) async -> Bool { true }

    func renewed(
        _ host: PlannedHost, at address: IPAddress, for nextHop: NextHop
    ) async -> RouteFinder.TLSARenewal { .same }

    func close() async {}

    // MARK: - Connections

    func dial(
        _ demand: LinkDemand, in slot: ConnectionSlot, on eventLoop: any EventLoop
    ) async -> Result<PooledConnection, HostFailure> {
        await self.pause()
        guard let peer = self.node.peer(at: slot.address) else { preconditionFailure("every address has a peer") }
        guard !self.node.isDead else { return .failure(HostFailure(.connectionLost)) }
        if let failure = peer.failureToConnect {
            self.node.hasFailed(peer)
            return .failure(failure)
        }
        slot.succeeded()
        return .success(
            PooledConnection(
                connection: SimulatedConnection(self.node, to: peer, in: slot), address: slot.address,
                established: Established(label: .none),
                warmth: WarmConnection(
                    key: demand.purpose(at: slot.address), nextHopDomain: demand.nextHopDomain, proof: .none),
                usesChunking: false, stateVersion: demand.state.version, slot: slot))
    }

    func closeAll() { self.node.closeConnections() }

    func limited(to limit: Duration) -> any HostDialer { preconditionFailure("no client of a simulation asks") }
}
