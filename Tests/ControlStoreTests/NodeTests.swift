import ClusterModel
import ControlStore
import LabDatabase
import MailModel
import PostgresDriver
import Testing

@Suite("What is known of nodes", .timeLimit(.minutes(2)))
struct NodeTests {
    private let name = "mx1.example.org"

    private func withNode(_ body: (ControlFixture) async throws -> Void) async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token()
            #expect(try await control.store.redeem(secretSHA256: secret, try ControlFixture.certificate()) == .accepted)
            try await body(control)
        }
    }

    @Test("Sent, acknowledged and refused are told apart; a refusal is over when its version or a later one is taken")
    func observations() async throws {
        try await self.withNode { control in
            func node() async throws -> NodeRow { try #require(try await control.store.node(self.name)) }
            func record(sent: UInt64? = nil, acknowledged: UInt64? = nil, refusal: WatchRefusal? = nil) async throws {
                try await control.store.record([
                    NodeObservation(of: self.name, by: "c1", sent: sent, acknowledged: acknowledged, refusal: refusal)
                ])
            }
            #expect(try await node().lastSeen == nil)
            try await record(sent: 4)
            let first = try await node()
            #expect(first.sent == 4 && first.acknowledged == 0 && first.replica == "c1" && first.lastSeen != nil)
            try await record(acknowledged: 4)
            let refusal = WatchRefusal(
                stateVersion: 5, resource: ResourceKey(type: .certificate, name: "main"), reason: "bad\0key")
            try await record(sent: 5, refusal: refusal)
            let refusing = try await node()
            #expect(refusing.acknowledged == 4 && refusing.sent == 5)
            #expect(refusing.refusal?.resource == refusal.resource && refusing.refusal?.reason == "bad\u{FFFD}key")
            try await record(acknowledged: 4)
            #expect(try await node().refusal != nil)
            try await record(refusal: WatchRefusal(stateVersion: 6, resource: nil, reason: "not at the base"))
            #expect(try await node().refusal == WatchRefusal(stateVersion: 6, resource: nil, reason: "not at the base"))
            try await record(acknowledged: 6)
            #expect(try await node().refusal == nil)
        }
    }

    @Test(
        "control 9: a report says what is served; one that says the same again writes no more than that the node was seen"
    )
    func report() async throws {
        try await self.withNode { control in
            let resources = [
                ServedResourceRow(
                    key: ResourceKey(type: .certificate, name: "main"), version: 3, sha256: ControlFixture.digest(1),
                    notAfter: Timestamp(seconds: 2_000_000_000)),
                ServedResourceRow(
                    key: ControlFixture.domain("alpha.test"), version: 2, sha256: ControlFixture.digest(2)),
            ]
            let report = ServedReport(
                node: self.name, stateVersion: 3, resources: resources, clockOffset: .milliseconds(-2500),
                programVersion: "1.2\0",
                trustedAuthorities: [ControlFixture.digest(1), ControlFixture.digest(2)])
            #expect(try await control.store.report(report))
            let node = try #require(try await control.store.node(self.name))
            #expect(node.served == 3 && node.programVersion == "1.2\u{FFFD}")
            #expect(node.clockOffset == .milliseconds(-2500))
            #expect(node.trustedAuthorities == [ControlFixture.digest(1), ControlFixture.digest(2)])
            #expect(try await control.store.served(by: self.name) == resources.sorted { $0.key < $1.key })

            func place() async throws -> String {
                try await control.superuser.query(Statement("SELECT ctid::text FROM control.served")).single().get(0)
            }
            let before = try await place()
            #expect(try await control.store.report(report))
            #expect(try await place() == before)
            let less = ServedReport(
                node: self.name, stateVersion: 4, resources: [], clockOffset: nil, programVersion: "1.2",
                trustedAuthorities: [])
            #expect(try await control.store.report(less))
            #expect(try await control.store.served(by: self.name) == [])
            #expect(try await control.store.node(self.name)?.clockOffset == nil)
        }
    }

    @Test("What is said of a stranger is dropped")
    func strangers() async throws {
        try await self.withNode { control in
            let before = try await control.everything()
            try await control.store.record([NodeObservation(of: "mx9.example.org", by: "c1", sent: 3)])
            let report = ServedReport(
                node: "mx9.example.org", stateVersion: 1, resources: [], clockOffset: nil, programVersion: "",
                trustedAuthorities: [])
            #expect(try await control.store.report(report) == false)
            // A person of that name is no node.
            try await control.store.record([NodeObservation(of: "root", by: "c1", sent: 3)])
            #expect(try await control.everything() == before)
        }
    }

    @Test("A node that has left the stream of a replica follows none, unless it follows another one by now")
    func departure() async throws {
        try await self.withNode { control in
            try await control.store.record([NodeObservation(of: self.name, by: "c1")])
            try await control.store.record([NodeObservation(of: self.name, by: "c2")])
            try await control.store.recordDeparture(of: self.name, from: "c1")
            #expect(try await control.store.node(self.name)?.replica == "c2")
            try await control.store.recordDeparture(of: self.name, from: "c2")
            #expect(try await control.store.node(self.name)?.replica == nil)
        }
    }

    @Test("Nodes come in pages, in the order of their names, each once")
    func pages() async throws {
        try await ControlFixture.run { control in
            let secret = try await control.token(uses: 25)
            for number in 10..<35 {
                let certificate = try ControlFixture.certificate(.node, "mx\(number).example.org", key: number)
                #expect(try await control.store.redeem(secretSHA256: secret, certificate) == .accepted)
            }
            var names: [String] = []
            while true {
                let page = try await control.store.nodes(after: names.last, limit: 10)
                names += page.map(\.name)
                if page.count < 10 { break }
            }
            #expect(names == (10..<35).map { "mx\($0).example.org" })
            // More than a page at once is recorded in parts.
            let many = (0..<(ControlLimits.pageRows + 5)).map {
                NodeObservation(of: "mx\(10 + $0 % 25).example.org", by: "c1", sent: UInt64($0))
            }
            try await control.store.record(many)
            #expect(try await control.store.nodes().allSatisfy { $0.sent > 0 })
        }
    }

    @Test("Replicas that record the same nodes at once do not stop each other")
    func together() async throws {
        try await ControlFixture.run(size: 8) { control in
            let names = (0..<10).map { "mx\($0).example.org" }
            let secret = try await control.token(uses: 10)
            for (number, name) in names.enumerated() {
                let certificate = try ControlFixture.certificate(.node, name, key: number)
                #expect(try await control.store.redeem(secretSHA256: secret, certificate) == .accepted)
            }
            try await withThrowingTaskGroup { group in
                for replica in 0..<8 {
                    group.addTask {
                        for round in UInt64(1)...20 {
                            let observations = names.map {
                                NodeObservation(of: $0, by: "c\(replica)", acknowledged: round)
                            }
                            try await control.store.record(replica % 2 == 0 ? observations : observations.reversed())
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await control.store.nodes().map(\.acknowledged) == Array(repeating: 20, count: 10))
        }
    }
}
