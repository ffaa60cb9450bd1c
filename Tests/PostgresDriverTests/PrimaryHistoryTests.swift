import LabDatabase
import Testing

@testable import PostgresDriver

@Suite("Former primaries (hostile-input 31)", .timeLimit(.minutes(3)))
struct PrimaryHistoryTests {
    private let history = PrimaryHistory()

    private func server(_ timeline: Int64, cluster: Int64 = 7) -> ServerIdentity {
        ServerIdentity(systemIdentifier: cluster, timeline: timeline)
    }

    @Test("A newer timeline is followed, and an older one refused from then on")
    func timelines() {
        #expect(self.history.observe(self.server(1)) == nil)
        #expect(self.history.observe(self.server(2)) == nil)
        #expect(self.history.observe(self.server(1))?.code == .staleServer)
        #expect(self.history.objection(to: self.server(1))?.code == .staleServer)
        #expect(self.history.objection(to: self.server(2)) == nil)
        #expect(self.history.observe(self.server(2)) == nil)
    }

    @Test("Another cluster is refused, whatever its timeline")
    func otherCluster() {
        #expect(self.history.observe(self.server(1)) == nil)
        #expect(self.history.observe(self.server(5, cluster: 8))?.code == .staleServer)
        #expect(self.history.observe(self.server(1)) == nil)
    }

    @Test("Another cluster that comes up in the place of the known one is not used")
    func replaced() async throws {
        try await PrivatePostgres.withServer { other in
            let history = PrimaryHistory()
            let known = makePool(try await .shared()) { $0.primaries = history }
            defer { known.shutDown() }
            _ = try await known.backend()
            let pool = makePool(other) {
                $0.primaries = history
                $0.acquireTimeout = .seconds(2)
            }
            defer { pool.shutDown() }
            #expect(await failure { _ = try await pool.backend() }?.code == .staleServer)
        }
    }
}
