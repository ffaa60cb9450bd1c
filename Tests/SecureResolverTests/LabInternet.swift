import DNSModel
import FoundationEssentials
import LabDNS
import LabSupport
import Logging
import MailModel
import OperatingSystem
import SecureResolver
import Synchronization
import TestLiterals
import Testing

/// The private Internet that the tests of a suite share; the suite's trait starts it and cleans up.
enum LabInternet {
    @TaskLocal static var current: SignedInternet?

    static let zones = [
        LabZone(
            "alpha.test", .signed,
            [
                .mx("mx.alpha.test"), .mx("mx2.alpha.test", preference: 20),
                .a("mx.alpha.test", "192.0.2.1"), .aaaa("mx.alpha.test", "2001:db8::1"),
                .tlsa("mx.alpha.test", 3, 1, 1, Array(0..<32)),
                .nullMX(owner: "silent.alpha.test"),
                .cname("one.alpha.test", "two.alpha.test"), .cname("two.alpha.test", "mx.alpha.test"),
                .cname("leaving.alpha.test", "inside.alpha.test"), .cname("inside.alpha.test", "host.plain.test"),
                .cname("dangling.alpha.test", "nothing.alpha.test"),
                .dname("old.alpha.test", "alpha.test"),
                .cname("loop.alpha.test", "pool.alpha.test"), .cname("pool.alpha.test", "loop.alpha.test"),
            ]),
        LabZone("plain.test", .unsigned, [.a("host.plain.test", "192.0.2.2"), .mx("host.plain.test")]),
        LabZone("forged.test", .wrongDelegationSigner, [.a("forged.test", "192.0.2.3")]),
        LabZone("expired.test", .signaturesEnd(after: .seconds(-86_400)), [.a("expired.test", "192.0.2.4")]),
        LabZone(
            "ending.test", .signaturesEnd(after: .seconds(600)), [.a("ending.test", "192.0.2.5")], defaultTTL: 86_400),
        LabZone("broken.test", .serverFailure),
        LabZone("crowd.test", .signed, (1...120).map { .a("crowd.test", "198.51.100.\($0)") }),
    ]

    /// A resolver of the current Internet, on the real clock unless told otherwise.
    static func resolver(
        _ internet: SignedInternet? = current, anchor: SecureResolverSettings.TrustAnchor? = nil,
        _ change: (inout SecureResolverSettings) -> Void = { _ in },
        now: @escaping @Sendable () -> Timestamp = { .systemNow }
    ) async throws -> SecureResolver {
        let internet = try #require(internet)
        var settings = SecureResolverSettings()
        let address = try #require(IPAddress(internet.address))
        settings.forwarders = [.init(address, port: internet.port)]
        settings.trustAnchors = [anchor ?? .file(internet.trustAnchorFile.path)]
        settings.options = internet.resolverOptions.map { .init($0.name, $0.value) }
        settings.executable = try BuiltProgram.named("relayd").path
        change(&settings)
        return try await SecureResolver(settings: settings, logger: Logger(label: "test"), now: now)
    }
}

/// Starts a `SignedInternet` for the suite, and stops it and removes its files in the end.
struct WithLabInternet: SuiteTrait, TestTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await LabInternet.withInternet(LabInternet.zones) { internet in
            try await LabInternet.$current.withValue(internet) { try await body() }
        }
    }
}

extension LabInternet {
    static func withInternet(_ zones: [LabZone], _ body: (SignedInternet) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let internet = try await SignedInternet.start(in: folder, zones: zones)
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(internet))
            } catch {
                result = .failure(error)
            }
            await internet.stopServer()
            try result.get()
        }
    }
}

/// A clock that a test sets.
final class ManualClock: Sendable {
    private let time: Mutex<Timestamp>
    init(_ start: Timestamp) { self.time = Mutex(start) }
    func advance(by duration: Duration) { self.time.withLock { $0 = $0 + duration } }
    @Sendable func now() -> Timestamp { self.time.withLock { $0 } }
}
