import ControlAPI
import ControlClient
import Foundation
import GRPCCore
import GRPCTransport
import LabDatabase
import LabRelay
import LabSupport
import NIOPosix
import OperatingSystem
import PostgresDriver
import SwiftProtobuf
import Testing

extension LabController.Replica {
    /// Calls the replica by this credential, over a connection of its own.
    func call<Result: Sendable>(
        by credential: URL, _ body: (GRPCClient<GRPCClientTransport>) async throws -> Result
    ) async throws -> Result {
        let shown = try ClusterCredential(file: credential.path)
        let connection = ControllerConnection(
            addresses: [.host("127.0.0.1", port: Int(self.port))], .credential { shown },
            group: MultiThreadedEventLoopGroup.singleton, random: .system)
        return try await connection.withClient(body)
    }

    /// What the replica says of the cluster. A call that cannot be made in time fails.
    func status(by credential: URL) async throws -> ControlGetStatusResponse {
        try await self.call(by: credential) { client in
            var options = CallOptions.defaults
            options.timeout = .seconds(5)
            return try await ControlClusterService.Client(wrapping: client).getStatus(.init(), options: options)
        }
    }

    /// The code by which it refuses the credential; `nil` if it takes it.
    func refusal(of credential: URL) async throws -> RPCError.Code? {
        do {
            _ = try await self.status(by: credential)
            return nil
        } catch let error as RPCError {
            return error.code
        }
    }

    /// Stores a certificate with its key, under a name.
    func importCertificate(_ name: String, chain: String, key: String, by credential: URL) async throws {
        try await self.call(by: credential) { client in
            var options = CallOptions.defaults
            options.timeout = .seconds(10)
            _ = try await ControlCertificateService.Client(wrapping: client).importCertificate(
                .with {
                    $0.name = name
                    $0.chainPem = chain
                    $0.privateKeyPem = key
                    $0.context.reason = "test"
                }, options: options)
        }
    }
}

extension LabController {
    /// Runs a command of relay-controller, on the settings of this replica or command.
    func run(
        _ words: [String], settings: [String: String] = [:], environment: [String: String] = [:]
    ) async throws -> ProgramRun {
        let name = "command-\(UInt64.random(in: .min ... .max))"
        let configuration = try self.configuration(name, settings: settings)
        return try await ProgramRun.of(
            "relay-controller", words + ["--config", configuration.path], environment: environment)
    }

    /// Rows of the database, as its superuser sees them.
    func count(_ query: String) async throws -> Int64 {
        let pool = self.database.pool()
        defer { pool.shutDown() }
        return try await pool.query(Statement("SELECT count(*) FROM \(query)")).single().get(0)
    }
}
