// swift-tools-version: 6.2
import PackageDescription

// MARK: Settings shared by every target of ours

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]

/// A pure target: no sockets, no clock, no randomness, no C.
func core(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Core/\(name)", swiftSettings: strict)
}

/// A target that is the one door to one outside thing.
func adapter(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Adapters/\(name)",
        swiftSettings: strict + [.strictMemorySafety()])
}

func service(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Services/\(name)", swiftSettings: strict)
}

/// Code that a generator made, with the language's own settings: its warnings are the generator's.
func generated(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Services/\(name)",
        exclude: ["Generated/checksums"], swiftSettings: [.swiftLanguageMode(.v6)])
}

/// A part of the world that tests, benchmarks and relay-lab run in; no other product has it.
func lab(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Lab/\(name)", swiftSettings: strict)
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Executables/\(name)", swiftSettings: strict)
}

/// A program under `benchmarks/`; it is built with the rest, so that it does not rot.
func benchmark(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "benchmarks/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", swiftSettings: strict)
}

func systemLibrary(_ name: String, pkgConfig: String?, debianPackage: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([debianPackage])])
}

// MARK: Packages, pinned exactly because Package.resolved is not committed

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let orderedCollections: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
// Only the core product: HummingbirdTLS would bring BoringSSL.
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let grpcCore: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf: Target.Dependency = .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")

let package = Package(
    name: "relay",
    products: [
        .executable(name: "relayd", targets: ["relayd"]),
        .executable(name: "relayctl", targets: ["relayctl"]),
        .executable(name: "relay-controller", targets: ["relay-controller"]),
        .executable(name: "relay-lab", targets: ["relay-lab"]),
        .executable(name: "relay-bench", targets: ["relay-bench"]),
        // For the fuzzer, which is a package of its own in Tests/Fuzzing.
        .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
        // Preloaded by tests into programs whose clock they set.
        .library(name: "FakeClock", type: .dynamic, targets: ["FakeClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections.git", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf.git", exact: "1.39.0", traits: []),
        .package(url: "https://github.com/grpc/grpc-swift-2.git", exact: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", exact: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),
    ],
    targets: [
        // C libraries: module maps and static-inline shims, no policy.
        systemLibrary("COpenSSL", pkgConfig: "openssl", debianPackage: "libssl-dev"),
        // Its pkg-config file asks for that of libevent, which Debian's package does not bring; the default paths will do.
        systemLibrary("CUnbound", pkgConfig: nil, debianPackage: "libunbound-dev"),
        systemLibrary("CPostgres", pkgConfig: "libpq", debianPackage: "libpq-dev"),
        systemLibrary("CNGHTTP2", pkgConfig: "libnghttp2", debianPackage: "libnghttp2-dev"),
        systemLibrary("CMalloc", pkgConfig: nil, debianPackage: "libc6-dev"),
        systemLibrary("CIDN2", pkgConfig: "libidn2", debianPackage: "libidn2-dev"),
        systemLibrary("CSeccomp", pkgConfig: "libseccomp", debianPackage: "libseccomp-dev"),

        // Core
        core("MailModel"),
        core("DNSModel", ["MailModel"]),
        core("SMTPProtocol", ["MailModel"]),
        core("DANE", ["DNSModel", "MailModel"]),
        core("Routing", ["DANE", "DNSModel", "MailModel"]),
        core("TransportSecurity", ["DANE", "DNSModel", "MailModel", "Routing"]),
        core("Admission", ["MailModel", "Routing", "TransportSecurity"]),
        core("ClusterModel", ["MailModel"]),
        core("DeliveryQueue", ["MailModel", deque, heap]),

        // Adapters
        adapter("Cryptography", ["COpenSSL", "DNSModel", "MailModel", "OperatingSystem"]),
        adapter(
            "TLSEngine", ["COpenSSL", "Cryptography", "DANE", "DNSModel", "MailModel", "TransportSecurity", nioCore]),
        adapter("SecureResolver", ["CSeccomp", "CUnbound", "DNSModel", "MailModel", logging]),
        adapter("OperatingSystem", ["CMalloc", "MailModel"]),
        adapter("InternationalDomains", ["CIDN2", "MailModel"]),
        adapter("PostgresDriver", ["CPostgres", deque, logging]),
        adapter(
            "QueueStore",
            ["ClusterModel", "DeliveryQueue", "MailModel", "OperatingSystem", "PostgresDriver", deque, logging]),
        adapter("ControlStore", ["ClusterModel", "MailModel", "PostgresDriver", logging]),
        adapter("Telemetry", ["MailModel", logging]),
        adapter(
            "GRPCTransport",
            ["CNGHTTP2", "Cryptography", "TLSEngine", "TransportSecurity", deque, grpcCore, logging, nioCore, nioPosix]),
        adapter(
            "TelemetryHTTP",
            [
                "MailModel", "Telemetry", hummingbird, hummingbirdCore, httpTypes, logging, nioCore, nioHTTP1,
                nioHTTPTypes, serviceLifecycle,
            ]),

        // Services
        service(
            "ServiceSupport", ["DeliveryQueue", "MailModel", "Telemetry", logging, nioCore, nioPosix, serviceLifecycle]),
        service(
            "RelayConfiguration",
            [
                "Admission", "ClusterModel", "DeliveryQueue", "MailModel", "OperatingSystem", "Routing",
                "TransportSecurity", yams,
            ]),
        service(
            "OperatorCommands",
            [
                "InternationalDomains", "MailModel", "OperatingSystem", "PostgresDriver", "RelayConfiguration",
                argumentParser,
            ]),
        service(
            "DaemonSupport",
            [
                "MailModel", "OperatingSystem", "RelayConfiguration", "Telemetry", "TelemetryHTTP", logging, nioCore,
                serviceLifecycle,
            ]),
        service(
            "RouteLookup",
            ["Cryptography", "DANE", "DNSModel", "MailModel", "Routing", "SecureResolver", "ServiceSupport"]),
        service(
            "NodeState",
            [
                "Admission", "Cryptography", "DeliveryQueue", "MailModel", "OperatingSystem", "OperatorCommands",
                "RelayConfiguration", "RouteLookup", "Routing", "SecureResolver", "ServiceSupport", "TLSEngine",
                "TransportSecurity", argumentParser, logging,
            ]),
        service(
            "DatabaseHealth",
            [
                "MailModel", "OperatingSystem", "PostgresDriver", "QueueStore", "ServiceSupport", "Telemetry", logging,
                serviceLifecycle,
            ]),
        service(
            "ShardLeases",
            ["ClusterModel", "DatabaseHealth", "MailModel", "QueueStore", "ServiceSupport", "Telemetry", logging]),
        service(
            "Inbound",
            [
                "Admission", "Cryptography", "DatabaseHealth", "DeliveryQueue", "MailModel", "NodeState",
                "OperatingSystem", "QueueStore", "Routing", "SMTPProtocol", "SecureResolver", "ServiceSupport",
                "TLSEngine", "Telemetry", logging, nioCore, nioPosix, serviceLifecycle,
            ]),
        service(
            "Delivery",
            [
                "Admission", "ClusterModel", "Cryptography", "DANE", "DNSModel", "DatabaseHealth", "DeliveryQueue",
                "MailModel", "NodeState", "OperatingSystem", "QueueStore", "RouteLookup", "Routing", "SMTPProtocol",
                "SecureResolver", "ServiceSupport", "ShardLeases", "TLSEngine", "Telemetry", "TransportSecurity", deque,
                logging, nioCore, nioPosix, orderedCollections, serviceLifecycle,
            ]),
        service(
            "EdgeNode",
            [
                "Admission", "ClusterModel", "ControlClient", "Cryptography", "DaemonSupport", "DatabaseHealth",
                "Delivery",
                "DeliveryQueue", "GRPCTransport", "Inbound", "InternationalDomains", "MailModel", "NodeState",
                "OperatingSystem",
                "PostgresDriver", "QueueStore", "RelayConfiguration", "RouteLookup", "Routing", "SMTPProtocol",
                "SecureResolver", "ServiceSupport", "ShardLeases", "TLSEngine", "Telemetry", nioCore, nioPosix, logging,
                serviceLifecycle,
            ]),
        service(
            "Console",
            [
                "ClusterModel", "ControlAPI", "ControlClient", "Cryptography", "DNSModel", "DeliveryQueue",
                "GRPCTransport", "InternationalDomains", "MailModel", "NodeState", "OperatingSystem",
                "OperatorCommands", "QueueService", "QueueStore",
                "RelayConfiguration", "Routing", "TransportSecurity", argumentParser, grpcCore, logging, nioCore,
                nioPosix, protobuf, yams,
            ]),
        service(
            "QueueService",
            ["ClusterModel", "ControlAPI", "DeliveryQueue", "MailModel", "QueueStore", grpcCore, protobuf]),
        generated("ControlAPI", [grpcCore, grpcProtobuf, protobuf]),
        service(
            "ControlClient",
            [
                "Admission", "ClusterModel", "ControlAPI", "Cryptography", "DANE", "DNSModel", "DeliveryQueue",
                "GRPCTransport", "MailModel", "NodeState", "OperatingSystem", "Routing", "ServiceSupport", "TLSEngine",
                "Telemetry", "TransportSecurity", grpcCore, logging, nioCore, protobuf, serviceLifecycle,
            ]),
        service(
            "ControlPlane",
            [
                "Admission", "ClusterModel", "ControlAPI", "ControlStore", "Cryptography", "DeliveryQueue",
                "GRPCTransport",
                "MailModel", "PostgresDriver", "QueueService", "QueueStore", "ServiceSupport", "TLSEngine", "Telemetry",
                grpcCore, logging, nioCore,
                protobuf, serviceLifecycle,
            ]),

        // The lab
        lab("LabSupport", ["MailModel", logging]),
        lab("LabDNS", ["LabSupport"]),
        lab("LabDatabase", ["ControlStore", "LabSupport", "PostgresDriver", "QueueStore", logging, nioCore, nioPosix]),
        lab(
            "LabPeers",
            [
                "Cryptography", "DNSModel", "LabSupport", "MailModel", "OperatingSystem", "SMTPProtocol", "TLSEngine",
                "TransportSecurity", nioCore, nioPosix,
            ]),
        lab(
            "LabRelay",
            [
                "ControlStore", "Cryptography", "DNSModel", "LabDNS", "LabDatabase", "LabPeers", "LabSupport",
                "MailModel", "OperatingSystem", "PostgresDriver", "QueueStore", "TLSEngine", nioCore, nioPosix,
            ]),

        // Executables
        executable(
            "relayd",
            [
                "Cryptography", "EdgeNode", "NodeState", "OperatingSystem", "OperatorCommands", "PostgresDriver",
                "QueueStore", "RelayConfiguration", "SecureResolver", "Telemetry", argumentParser, logging,
            ]),
        executable(
            "relayctl",
            [
                "Console", "MailModel", "NodeState", "OperatingSystem", "OperatorCommands", "RelayConfiguration",
                "SecureResolver", argumentParser,
            ]),
        executable(
            "relay-controller",
            [
                "ClusterModel", "ControlPlane", "ControlStore", "Cryptography", "DaemonSupport", "GRPCTransport",
                "MailModel", "OperatingSystem", "OperatorCommands", "PostgresDriver", "QueueStore",
                "RelayConfiguration",
                "ServiceSupport", "Telemetry", argumentParser, grpcCore, logging, nioCore, nioPosix, serviceLifecycle,
                unixSignals,
            ]),
        executable(
            "relay-lab",
            [
                "DNSModel", "LabDNS", "LabDatabase", "LabPeers", "LabRelay", "LabSupport", "MailModel",
                "OperatingSystem", "QueueStore", "SecureResolver", logging, unixSignals, argumentParser,
            ]),

        // Benchmarks
        benchmark(
            "relay-bench",
            [
                "ClusterModel", "ControlAPI", "ControlClient", "Cryptography", "DNSModel", "DeliveryQueue",
                "GRPCTransport", "LabDNS", "LabDatabase", "LabPeers", "LabRelay", "LabSupport", "MailModel",
                "NodeState", "OperatingSystem", "PostgresDriver", "QueueStore", "SecureResolver", "ServiceSupport",
                "TLSEngine", "Telemetry", "TransportSecurity", argumentParser, grpcCore, logging, nioCore, nioPosix,
                protobuf,
            ]),

        // Tests
        .target(
            name: "FuzzTargets",
            dependencies: [
                "DANE", "DNSModel", "GRPCTransport", "MailModel", "SMTPProtocol", "SecureResolver", nioCore,
            ],
            path: "Tests/Fuzzing/Targets", swiftSettings: strict),
        tests("Fuzzing", ["FuzzTargets"]),
        .target(
            name: "TestLiterals", dependencies: ["DANE", "DNSModel", "MailModel"], path: "Tests/TestLiterals",
            swiftSettings: strict),
        .target(name: "FakeClock", path: "Tests/FakeClock"),
        tests("CLibraries", ["CIDN2", "CNGHTTP2", "COpenSSL", "CPostgres", "CUnbound"]),
        tests("MailModel", ["MailModel"]),
        tests("SMTPProtocol", ["MailModel", "SMTPProtocol", "TestLiterals"]),
        tests("DANE", ["DANE", "DNSModel", "MailModel", "TestLiterals"]),
        tests("Routing", ["DANE", "DNSModel", "MailModel", "Routing", "TestLiterals"]),
        tests("TransportSecurity", ["DANE", "DNSModel", "MailModel", "Routing", "TestLiterals", "TransportSecurity"]),
        tests("Admission", ["Admission", "LabSupport", "MailModel", "Routing", "TestLiterals"]),
        tests("ClusterModel", ["ClusterModel", "LabSupport", "MailModel", "TestLiterals"]),
        tests("DeliveryQueue", ["DeliveryQueue", "MailModel", "TestLiterals"]),
        tests("Cryptography", ["Cryptography", "DNSModel", "LabPeers", "LabSupport", "MailModel"]),
        tests(
            "TLSEngine",
            [
                "Cryptography", "DANE", "DNSModel", "LabPeers", "LabSupport", "MailModel", "OperatingSystem",
                "TLSEngine", "TestLiterals", "TransportSecurity", nioCore, nioPosix, nioEmbedded,
            ]),
        tests("InternationalDomains", ["InternationalDomains", "MailModel"]),
        tests(
            "SecureResolver",
            [
                "DANE", "DNSModel", "LabDNS", "LabSupport", "MailModel", "OperatingSystem", "Routing", "SecureResolver",
                "TestLiterals", logging,
            ]),
        tests("PostgresDriver", ["LabDatabase", "PostgresDriver", logging]),
        tests(
            "QueueStore",
            [
                "ClusterModel", "DeliveryQueue", "LabDatabase", "LabSupport", "MailModel", "PostgresDriver",
                "QueueStore", "TestLiterals", logging,
            ]),
        tests(
            "ControlStore",
            [
                "ClusterModel", "ControlStore", "Cryptography", "LabDatabase", "LabSupport", "MailModel",
                "PostgresDriver",
                "QueueStore", logging,
            ]),
        tests(
            "Console",
            [
                "ClusterModel", "Console", "ControlAPI", "ControlClient", "Cryptography", "DeliveryQueue",
                "GRPCTransport", "LabDatabase", "LabSupport", "MailModel", "OperatingSystem", "PostgresDriver",
                "QueueService", "QueueStore", "TLSEngine", grpcCore, logging, nioCore, nioPosix, protobuf,
            ]),
        tests(
            "DaemonSupport",
            ["DaemonSupport", "MailModel", "OperatingSystem", "RelayConfiguration", nioCore, nioPosix]),
        tests("OperatorCommands", ["MailModel", "OperatorCommands", "RelayConfiguration"]),
        tests("Telemetry", ["MailModel", "Telemetry", "TelemetryHTTP", nioCore, nioPosix, logging]),
        tests(
            "GRPCTransport",
            [
                "Cryptography", "DANE", "DNSModel", "GRPCTransport", "LabPeers", "LabSupport", "MailModel",
                "OperatingSystem", "TLSEngine", "TransportSecurity", grpcCore, nioCore, nioEmbedded, nioPosix,
            ]),
        tests(
            "ControlPlane",
            [
                "ClusterModel", "ControlAPI", "ControlClient", "ControlPlane", "ControlStore",
                "Cryptography", "DNSModel", "DeliveryQueue", "GRPCTransport",
                "LabDatabase", "LabPeers", "LabSupport", "MailModel", "NodeState", "OperatingSystem", "PostgresDriver",
                "ServiceSupport", "TLSEngine", "Telemetry", "TransportSecurity", grpcCore, logging, nioCore, nioPosix,
                protobuf,
            ]),
        tests("ControlAPI", ["ControlAPI", "GRPCTransport", grpcCore, nioPosix, protobuf]),
        tests(
            "ControlClient",
            [
                "Admission", "ClusterModel", "ControlAPI", "ControlClient", "Cryptography", "DeliveryQueue",
                "GRPCTransport", "LabSupport", "MailModel", "NodeState", "OperatingSystem", "Routing", "ServiceSupport",
                "TLSEngine", "Telemetry", "TransportSecurity", grpcCore, logging, nioCore, nioPosix, protobuf,
            ]),
        tests("ServiceSupport", ["LabSupport", "MailModel", "ServiceSupport", nioCore, nioEmbedded]),
        tests("DatabaseHealth", ["DatabaseHealth", "MailModel", "QueueStore"]),
        tests("ShardLeases", ["ClusterModel", "LabSupport", "MailModel", "QueueStore", "ShardLeases"]),
        tests(
            "RelayConfiguration",
            [
                "Admission", "ClusterModel", "DeliveryQueue", "MailModel", "RelayConfiguration", "Routing",
                "TestLiterals",
            ]),
        tests(
            "NodeState",
            [
                "Admission", "Cryptography", "DeliveryQueue", "LabPeers", "LabSupport", "MailModel", "NodeState",
                "OperatingSystem", "RelayConfiguration", "SecureResolver", "TLSEngine", "TestLiterals",
                "TransportSecurity",
            ]),
        tests(
            "Inbound",
            [
                "Admission", "Cryptography", "DatabaseHealth", "DeliveryQueue", "Inbound", "LabDatabase", "LabPeers",
                "LabSupport", "MailModel", "NodeState", "OperatingSystem", "QueueStore", "SMTPProtocol",
                "ServiceSupport", "ShardLeases", "TLSEngine", "Telemetry", "TestLiterals", "TransportSecurity", logging,
                nioCore, nioEmbedded,
            ]),
        tests(
            "Delivery",
            [
                "Admission", "ClusterModel", "Cryptography", "DANE", "DNSModel", "DatabaseHealth", "Delivery",
                "DeliveryQueue", "LabDatabase", "LabPeers", "LabSupport", "MailModel", "NodeState", "OperatingSystem",
                "PostgresDriver", "QueueStore", "RouteLookup", "Routing", "SMTPProtocol", "SecureResolver",
                "ServiceSupport", "ShardLeases", "TLSEngine", "Telemetry", "TestLiterals", "TransportSecurity", logging,
                nioCore, nioEmbedded, nioPosix, orderedCollections,
            ]),
        tests(
            "EdgeNode",
            [
                "Admission", "Delivery", "DeliveryQueue", "EdgeNode", "Inbound", "MailModel", "NodeState",
                "RelayConfiguration", "ServiceSupport", "TLSEngine", "Telemetry", "TestLiterals", nioCore, nioPosix,
            ]),
        tests(
            "Simulation",
            [
                "Admission", "ClusterModel", "DANE", "DNSModel", "DatabaseHealth", "Delivery", "DeliveryQueue",
                "LabDatabase", "LabSupport", "MailModel", "NodeState", "OperatingSystem", "PostgresDriver",
                "QueueStore", "RouteLookup", "Routing", "SMTPProtocol", "ServiceSupport", "ShardLeases", "TLSEngine",
                "Telemetry", "TransportSecurity", nioCore, logging,
            ]),
        tests(
            "Lab",
            [
                "ClusterModel", "Cryptography", "DNSModel", "LabDNS", "LabDatabase", "LabPeers", "LabRelay",
                "LabSupport", "MailModel", "QueueStore", "SMTPProtocol", "TLSEngine",
            ]),
        tests(
            "Integration",
            [
                "ControlAPI", "ControlClient", "ControlStore", "Cryptography", "DNSModel", "GRPCTransport", "LabDNS",
                "LabDatabase", "LabPeers", "LabRelay", "LabSupport", "MailModel", "OperatingSystem", "PostgresDriver",
                "QueueStore", "Routing", "TLSEngine", protobuf, grpcCore, nioCore, nioPosix, logging,
            ]),
    ]
)
