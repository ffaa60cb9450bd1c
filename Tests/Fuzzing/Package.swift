// swift-tools-version: 6.2
// The fuzzer, a package of its own: it needs a runtime that would replace the `main` of everything else. See ops/fuzz.
import PackageDescription

let package = Package(
    name: "relay-fuzzing",
    dependencies: [.package(name: "relay", path: "../..")],
    targets: [
        .executableTarget(
            name: "relay-fuzz", dependencies: [.product(name: "FuzzTargets", package: "relay")], path: "Entry",
            swiftSettings: [
                .swiftLanguageMode(.v6),
                // libFuzzer brings `main`.
                .unsafeFlags(["-parse-as-library"]),
            ])
    ]
)
