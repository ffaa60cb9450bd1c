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

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Executables/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", swiftSettings: strict)
}

func systemLibrary(_ name: String, pkgConfig: String, debianPackage: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig, providers: [.apt([debianPackage])])
}

// MARK: Packages, pinned exactly because Package.resolved is not committed

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "relay",
    products: [
        .executable(name: "relayd", targets: ["relayd"]),
        .executable(name: "relayctl", targets: ["relayctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
    ],
    targets: [
        // C libraries: module maps and static-inline shims, no policy.
        systemLibrary("COpenSSL", pkgConfig: "openssl", debianPackage: "libssl-dev"),
        systemLibrary("CUnbound", pkgConfig: "libunbound", debianPackage: "libunbound-dev"),
        systemLibrary("CPostgres", pkgConfig: "libpq", debianPackage: "libpq-dev"),
        systemLibrary("CIDN2", pkgConfig: "libidn2", debianPackage: "libidn2-dev"),

        // Core
        core("MailModel"),
        core("SMTPProtocol", ["MailModel"]),
        core("DANE", ["MailModel"]),
        core("TransportSecurity", ["DANE", "MailModel"]),
        core("DeliveryQueue", ["MailModel", "TransportSecurity"]),

        // Adapters
        adapter("TLSEngine", ["COpenSSL", "DANE", "MailModel", nioCore]),
        adapter("SecureResolver", ["CUnbound", "DANE", "MailModel", logging]),
        adapter("InternationalDomains", ["CIDN2", "MailModel"]),
        adapter("PostgresDriver", ["CPostgres", logging]),
        adapter("QueueStore", ["DeliveryQueue", "MailModel", "PostgresDriver", "TransportSecurity", logging]),
        adapter("Telemetry", [logging]),

        // Services
        service(
            "EdgeNode",
            [
                "DANE", "DeliveryQueue", "InternationalDomains", "MailModel", "PostgresDriver", "QueueStore",
                "SMTPProtocol", "SecureResolver", "TLSEngine", "Telemetry", "TransportSecurity", nioCore, nioPosix,
                logging,
            ]),
        service("Lab", ["DANE", "MailModel", "TLSEngine", nioCore, nioPosix, logging]),

        // Executables
        executable("relayd", ["EdgeNode"]),
        executable("relayctl", ["Lab"]),

        // Tests
        tests("MailModel", ["MailModel"]),
        tests("SMTPProtocol", ["MailModel", "SMTPProtocol"]),
        tests("DANE", ["DANE", "MailModel"]),
        tests("TransportSecurity", ["DANE", "MailModel", "TransportSecurity"]),
        tests("DeliveryQueue", ["DeliveryQueue", "MailModel", "TransportSecurity"]),
        tests("TLSEngine", ["DANE", "Lab", "MailModel", "TLSEngine", nioCore, nioPosix, nioEmbedded]),
        tests("InternationalDomains", ["InternationalDomains", "MailModel"]),
        tests("SecureResolver", ["DANE", "Lab", "MailModel", "SecureResolver", logging]),
        tests("PostgresDriver", ["Lab", "PostgresDriver"]),
        tests(
            "QueueStore",
            ["DeliveryQueue", "Lab", "MailModel", "PostgresDriver", "QueueStore", "TransportSecurity"]),
        tests("Telemetry", ["Telemetry"]),
        tests("EdgeNode", ["DANE", "EdgeNode", "MailModel", "SMTPProtocol", "TransportSecurity"]),
        tests("Lab", ["DANE", "Lab", "MailModel", "TLSEngine"]),
        tests("Integration", ["EdgeNode", "Lab", "MailModel"]),
    ]
)
