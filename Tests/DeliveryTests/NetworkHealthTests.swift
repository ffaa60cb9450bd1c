import DeliveryQueue
import Glibc
import Logging
import MailModel
import NIOCore
import OperatingSystem
import Synchronization
import Telemetry
import TestLiterals
import Testing

@testable import Delivery

/// Whose fault it is that a connection was not opened, and when that is over.
@Suite("Network")
struct NetworkHealthTests {
    private static let route = EgressRoute(source: nil, isIPv6: false)
    private static let ipv6 = EgressRoute(source: nil, isIPv6: true)
    private static let host = IPAddress("192.0.2.1") ?? .loopback
    private static let host6 = IPAddress("2001:db8::1") ?? .loopback

    private static func at(_ seconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
    }

    @Test(
        "Each error of our own system is known as ours, in words of people (field C7)",
        arguments: [
            (ENETUNREACH, ConnectFault.noRoute), (EHOSTUNREACH, .noRoute), (ENETDOWN, .noRoute),
            (EAFNOSUPPORT, .noRoute), (EADDRNOTAVAIL, .sourceAddress), (EADDRINUSE, .sourceAddress),
            (EPERM, .forbidden), (EACCES, .forbidden), (EMFILE, .descriptors), (ENFILE, .descriptors),
            (ENOBUFS, .memory), (ENOMEM, .memory),
        ])
    func ours(_ code: CInt, _ fault: ConnectFault) {
        #expect(ConnectFault(errno: code) == fault)
        #expect(!fault.words.contains("("))
    }

    @Test(
        "What the other side did is not ours (field C7)",
        arguments: [ECONNREFUSED, ECONNRESET, ETIMEDOUT, EPIPE, EINVAL])
    func theirs(_ code: CInt) { #expect(ConnectFault(errno: code) == nil) }

    @Test(
        "Descriptors, memory and a source address of ours are our fault, however the routes are (field C7)",
        arguments: [
            (ConnectFault.descriptors, Self.route), (.memory, Self.route),
            (.sourceAddress, EgressRoute(source: .loopback, isIPv6: false)),
        ])
    func beforeTheAddress(_ fault: ConnectFault, _ route: EgressRoute) {
        var health = NetworkHealth()
        let (isOurs, change) = health.failed(fault, to: Self.host, by: route, .init(), at: Self.at(0))
        #expect(isOurs && change == .broke(route, fault))
        let (again, silence) = health.failed(fault, to: Self.host, by: route, .init(), at: Self.at(1))
        #expect(again && silence == .none, "it is told once")
    }

    @Test(
        "An address to which no route leads, while others are reached, is no fault of ours: anybody can publish one (field C7)",
        arguments: [ConnectFault.noRoute, .forbidden, .sourceAddress])
    func oneAddress(_ fault: ConnectFault) {
        var health = NetworkHealth()
        health.routed(isIPv6: false)
        let (isOurs, change) = health.failed(fault, to: Self.host, by: Self.route, .init(), at: Self.at(0))
        #expect(!isOurs && change == .none && health.problem(working: []) == nil)
    }

    @Test("Without any route where there was one it is ours, and over when there is one again (field C7)")
    func noRoute() {
        var health = NetworkHealth()
        health.routed(isIPv6: false)
        let (isOurs, change) = health.failed(
            .noRoute, to: Self.host, by: Self.route, .init(isRouted: false), at: Self.at(0))
        #expect(isOurs && change == .broke(Self.route, .noRoute))
        #expect(health.problem(working: [Self.ipv6])?.contains("over IPv4") == true)
        #expect(
            health.problem(working: [EgressRoute(source: .v4(1), isIPv6: false)]) == nil, "mail goes by another route")
        #expect(health.probed(Self.route, passes: false, at: Self.at(1)) == .none)
        #expect(health.probed(Self.route, passes: true, at: Self.at(2)) == .none)
        #expect(health.probed(Self.route, passes: true, at: Self.at(4)) == .recovered(Self.route, after: .seconds(4)))
        #expect(health.brokenRoutes.isEmpty)
    }

    @Test("A machine that is started without a network is at fault until it has one (field C7)")
    func startedWithout() {
        var health = NetworkHealth()
        let nowhere = NetworkHealth.Surroundings(isRouted: false, isOtherFamilyRouted: false)
        #expect(health.failed(.noRoute, to: Self.host, by: Self.route, nowhere, at: Self.at(0)).isOurs)
        #expect(
            health.connected(to: Self.host, by: Self.route, at: Self.at(3))
                == .recovered(Self.route, after: .seconds(3)))
        // There is a network now, though none that leads everywhere.
        #expect(!health.failed(.noRoute, to: Self.host, by: Self.route, nowhere, at: Self.at(9)).isOurs)
    }

    @Test("IPv6 that this machine does not have is no fault while IPv4 works; IPv6 that it had is one (field C7)")
    func missingFamily() {
        var health = NetworkHealth()
        health.routed(isIPv6: false)
        let noIPv6 = NetworkHealth.Surroundings(isRouted: false)
        #expect(!health.failed(.noRoute, to: Self.host6, by: Self.ipv6, noIPv6, at: Self.at(0)).isOurs)
        health.routed(isIPv6: true)
        #expect(health.failed(.noRoute, to: Self.host6, by: Self.ipv6, noIPv6, at: Self.at(1)).isOurs)
        #expect(health.problem(working: [Self.route]) == nil, "IPv4 serves nearly every host")
    }

    @Test("A configured next hop that the routes do not lead to is our fault, and probed by itself (field C7)")
    func nextHop() {
        var health = NetworkHealth()
        health.routed(isIPv6: false)
        let lost = EgressRoute(source: nil, isIPv6: false, nextHop: Self.host)
        let (isOurs, change) = health.failed(
            .noRoute, to: Self.host, by: Self.route, .init(isNextHopCutOff: true), at: Self.at(0))
        #expect(isOurs && change == .broke(lost, .noRoute))
        #expect(health.connected(to: Self.host, by: Self.route, at: Self.at(1)) == .recovered(lost, after: .seconds(1)))
    }

    @Test("A connection within this machine shows nothing of the network (field C7)")
    func loopback() {
        var health = NetworkHealth()
        _ = health.failed(.memory, to: Self.host, by: Self.route, .init(), at: Self.at(0))
        #expect(health.connected(to: .loopback, by: Self.route, at: Self.at(1)) == .none)
        #expect(!health.brokenRoutes.isEmpty)
    }

    @Test("Nobody waits for a probe, and of two changes the later one stands, whichever probes end first (field C7)")
    func probesWithoutLock() {
        let health = HealthRegistry()
        let monitor = Mutex<NetworkMonitor?>(nil)
        let source = IPAddress("192.0.2.9") ?? .loopback
        let route = EgressRoute(source: source, isIPv6: false)
        let egress = [source, nil].map { Egress($0, helloName: "relay.test") }
        let made = NetworkMonitor(
            routes: [route, Self.route], isNextHop: { _ in false }, port: 25, health: health, time: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            probe: { _, _, _ in
                // While the fault is being probed an event loop asks for egress sources, and opens a connection: all is
                // well again.
                let monitor = monitor.withLock(\.self)
                guard let monitor, monitor.working(egress, to: Self.host).count == 1 else { return nil }
                monitor.connected(to: Self.host, by: route)
                #expect(health.isPassing(.network))
                return nil
            })
        func fail() -> FailureReason {
            made.judge(IOError(errnoCode: EMFILE, reason: "socket"), to: Self.host, by: route).failure
        }
        #expect(fail() == .localNetwork && !health.isPassing(.network))
        made.connected(to: Self.host, by: route)
        #expect(health.isPassing(.network))
        monitor.withLock { $0 = made }
        #expect(fail() == .localNetwork && health.isPassing(.network))
        #expect(made.working(egress, to: Self.host).count == 2)
        monitor.withLock { $0 = nil }
    }

    @Test("The system is asked for its route, and nothing is sent (field C7)")
    func probe() throws {
        #expect(RouteProbe.fault(to: .loopback, port: 9) == nil)
        #expect(RouteProbe.fault(to: .loopback, port: 9, from: .loopback) == nil)
        // An address for documentation, which no machine has.
        #expect(RouteProbe.fault(to: .loopback, port: 9, from: IPAddress("198.51.100.77")) == .sourceAddress)
        let broadcast = try #require(IPAddress("255.255.255.255"))
        #expect(RouteProbe.fault(to: broadcast, port: 9) != nil)
    }
}
