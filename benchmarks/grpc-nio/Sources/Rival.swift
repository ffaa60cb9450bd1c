import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// Measures one round: grpc-nio CALLS CONCURRENCY SIZE MIB SERVER-CHAIN SERVER-KEY CLIENT-CHAIN CLIENT-KEY ROOT.
@main
struct Rival {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        let numbers = words.prefix(4).compactMap { Int($0) }
        guard words.count == 9, numbers.count == 4 else { fatalError("give 4 numbers and 5 files") }
        let load = GRPCLoad(calls: numbers[0], concurrency: numbers[1], size: numbers[2], stream: numbers[3])
        let server = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .mTLS(
                certificateChain: [.file(path: words[4], format: .pem)],
                privateKey: .file(path: words[5], format: .pem)
            ) { $0.trustRoots = .certificates([.file(path: words[8], format: .pem)]) },
            config: .defaults { $0.http2.maxConcurrentStreams = load.concurrency + 1 })
        try await withGRPCServer(transport: server, services: [MeasuredService()]) { _ in
            guard let port = try await server.listeningAddress.ipv4?.port else { fatalError("no port") }
            let client = try HTTP2ClientTransport.Posix(
                target: .ipv4(address: "127.0.0.1", port: port),
                transportSecurity: .mTLS(
                    certificateChain: [.file(path: words[6], format: .pem)],
                    privateKey: .file(path: words[7], format: .pem)
                ) {
                    $0.trustRoots = .certificates([.file(path: words[8], format: .pem)])
                    $0.serverCertificateVerification = .noHostnameVerification
                })
            try await withGRPCClient(transport: client) { client in
                let measurement = GRPCMeasurement(client: client, load: load)
                _ = try await measurement.round()
                print(try await measurement.round())
            }
        }
    }
}
