// swift-tools-version: 6.2
// grpc-swift's own transport on swift-nio-http2 and BoringSSL, for `relay-bench grpc --rival`. A package of its own: no program of
// relay's has BoringSSL.
import PackageDescription

let package = Package(
    name: "grpc-nio",
    dependencies: [
        .package(url: "https://github.com/grpc/grpc-swift-2.git", exact: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", exact: "2.9.2"),
    ],
    targets: [
        .executableTarget(
            name: "grpc-nio",
            dependencies: [
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
            ], path: "Sources")
    ]
)
