import ControlAPI
import ControlClient
import Cryptography
import GRPCCore
import Testing

@Suite("A connection to a controller", .timeLimit(.minutes(1)))
struct ControllerConnectionTests {
    /// Whom the replica takes the caller for; the error of the call if it does not come to that.
    private func caller(
        _ cluster: TestCluster, dnsNames: [String]? = nil, _ proof: ControllerConnection.Proof
    ) async throws -> String {
        try await TestReplica.with(cluster, services: [Reporter()], dnsNames: dnsNames) { replica in
            try await replica.connection(proof).withClient { client in
                do {
                    _ = try await ControlNodeService.Client(wrapping: client).reportServed(.init())
                    return "no error"
                } catch let error as RPCError {
                    return error.code == .failedPrecondition ? error.message : "\(error.code)"
                }
            }
        }
    }

    @Test("A credential shows the node's identity, and a token and pinned authorities show nobody's")
    func shown() async throws {
        let cluster = try TestCluster()
        let credential = try cluster.credential()
        #expect(try await self.caller(cluster, .credential { credential }) == "relay://lab/node/mx1.example.test")
        #expect(try await self.caller(cluster, .token(cluster.token)) == "nobody")
        #expect(try await self.caller(cluster, .pinned(credential.authorities, of: cluster.name)) == "nobody")
    }

    @Test("A controller of another authority is not spoken to, however it is known (control 11)")
    func foreignAuthority() async throws {
        let (cluster, other) = (try TestCluster(), try TestCluster())
        let credential = try other.credential()
        #expect(try await self.caller(cluster, .credential { credential }) == "unavailable")
        #expect(try await self.caller(cluster, .token(other.token)) == "unavailable")
        #expect(try await self.caller(cluster, .pinned(credential.authorities, of: other.name)) == "unavailable")
    }

    @Test(
        "A certificate of the cluster that is not a controller's is not enough", arguments: [[], ["mx1.example.test"]])
    func notAController(_ names: [String]) async throws {
        let cluster = try TestCluster()
        let credential = try cluster.credential()
        #expect(try await self.caller(cluster, dnsNames: names, .credential { credential }) == "unavailable")
        #expect(try await self.caller(cluster, dnsNames: names, .token(cluster.token)) == "unavailable")
    }
}
