import ControlAPI
import ControlPlane
import ControlStore
import LabDatabase
import LabSupport
import PostgresDriver
import Telemetry
import Testing

@Suite("Leadership", .timeLimit(.minutes(2)))
struct LeadershipTests {
    @Test("One replica leads, and another one when it ends; both serve all the time")
    func handedOver() async throws {
        try await TestControl.with { control in
            let pool = control.database.pool(size: 2)
            defer { pool.shutDown() }
            try await control.withReplica(store: ControlStore(pool: pool), named: "replica-2") { other in
                try await control.withReplica { first in
                    let isLed = await eventually { leads(other) != leads(first) }
                    #expect(isLed)
                    _ = try await other.with(control.admin) { try await $0.apply("alpha.test") }
                    let status = try await first.with(control.admin) { client in
                        try await TestReplica.ClusterClient(wrapping: client).getStatus(.init())
                    }
                    #expect(status.leader == (leads(first) ? "replica-1" : "replica-2"))
                    #expect(status.domains == 1)
                }
                // The first one has ended, and given the lead back if it had it.
                let isHandedOver = await eventually(within: .seconds(15)) { leads(other) }
                #expect(isHandedOver)
            }
        }
    }
}

private func leads(_ replica: TestReplica) -> Bool { replica.registry.exposition().contains("\nleader 1") }
