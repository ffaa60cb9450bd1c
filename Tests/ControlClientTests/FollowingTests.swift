import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
import GRPCTransport
import LabSupport
import MailModel
import OperatingSystem
import SwiftProtobuf
import Telemetry
import Testing

@Suite("A node that follows a controller", .timeLimit(.minutes(1)))
struct FollowingTests {
    private let cluster: TestCluster
    private let controller: ScriptedController

    init() throws {
        self.cluster = try TestCluster()
        self.controller = ScriptedController(self.cluster)
    }

    /// Runs `body` with a folder for a node, while the controller serves.
    private func serving(_ body: (URL, TransportAddress) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            try await TestReplica.with(self.cluster, services: self.controller.services) { replica in
                try await body(folder, replica.address)
            }
        }
    }

    @Test("Replies of an enrolment that are lost do not enrol twice: each call has the same key (control 11)")
    func lostReplies() async throws {
        self.controller.set { $0.lostReplies = 2 }
        self.controller.publish([Resources.domain("contoso.test")])
        try await self.serving { folder, address in
            let node = try TestNode(folder, [address], token: self.cluster.token)
            try await node.run { try await waitUntil { node.domains == ["contoso.test"] } }
            let keys = self.controller.seen.enrolledKeys
            #expect(keys.count == 3 && Set(keys).count == 1)
            #expect(self.controller.seen.followers.first == "relay://lab/node/mx1.example.test")
            // A restart needs no token.
            let again = try TestNode(folder, [address])
            try await again.run { try await waitUntil { again.standing.isConnected } }
            #expect(self.controller.seen.enrolledKeys.count == 3)
        }
    }

    @Test("A token that the controller refuses is told, and asked about again (control 11)")
    func refusedToken() async throws {
        try await self.serving { folder, address in
            let token = JoinToken(
                cluster: self.cluster.name, authority: self.cluster.token.authority,
                secret: [UInt8](repeating: 9, count: 24))
            let node = try TestNode(folder, [address], token: token)
            try await node.run {
                try await waitUntil { node.standing.problem == "cannot enrol: nobody knows this token" }
            }
            #expect(node.standing.fault == "has no state yet: cannot enrol: nobody knows this token")
        }
    }

    @Test("A bad state is refused with resource and reason, and the last good one goes on (control 1, 5, 6)")
    func refusal() async throws {
        self.controller.publish([Resources.domain("good.test")])
        try await self.serving { folder, address in
            let node = try TestNode(folder, [address], token: self.cluster.token)
            try await node.run {
                try await waitUntil { node.domains == ["good.test"] }
                self.controller.publish([
                    Resources.domain("next.test", version: 2), Resources.user("alice", hash: "plain", version: 2),
                ])
                try await waitUntil { self.controller.seen.answers.contains { $0.hasErrorDetail } }
                let detail = try #require(self.controller.seen.answers.last).errorDetail
                #expect(detail.stateVersion == 2 && detail.resource.name == "alice" && detail.resource.type == .user)
                #expect(node.domains == ["good.test"])
                try await waitUntil { node.standing.fault?.contains("refuses state 2") == true }
                self.controller.publish([Resources.domain("next.test", version: 3)])
                try await waitUntil { node.domains == ["next.test"] }
                try await waitUntil { node.standing.fault == nil }
                // The first state, the refusal, and the state after it: each answered once, by its nonce.
                try await waitUntil { self.controller.seen.answers.map(\.nonce) == [1, 2, 3] }
                #expect(
                    node.registry.exposition().contains(
                        #"relayd_control_updates_total{resource="user",result="refused"} 1"#))
                #expect(node.registry.exposition().contains(#"relayd_control_applied_version{resource="domain"} 3"#))
            }
        }
    }

    @Test("A node reports what it serves, with versions, hashes and its clock (control 9, 15)")
    func reports() async throws {
        let certificate = try Resources.certificate("mx", for: "mx1.example.test", version: 4)
        self.controller.publish([Resources.domain("contoso.test", version: 3), certificate])
        try await self.serving { folder, address in
            let node = try TestNode(folder, [address], token: self.cluster.token)
            try await node.run { try await waitUntil { self.controller.seen.reports.last?.resources.count == 2 } }
            let report = try #require(self.controller.seen.reports.last)
            #expect(report.stateVersion == 1 && report.programVersion == "test")
            #expect(report.resources.map(\.version) == [3, 4])
            let leaf = try Certificate.readAll(pem: Array(certificate.certificate.chainPem.utf8))[0].value
            #expect(Array(report.resources[1].sha256) == Digests.sha256(leaf.der))
            #expect(report.resources[1].notAfter.seconds == leaf.notAfter.microseconds / 1_000_000)
            #expect(abs(report.clock.seconds - Timestamp.systemNow.microseconds / 1_000_000) < 60)
            #expect(report.trustedAuthoritiesSha256 == [Data(self.cluster.token.authority)])
        }
    }

    @Test(
        "Without the controller a node starts with the last good state, says so, and asks for what differs (control 3, 6)"
    )
    func lastGood() async throws {
        self.controller.publish([Resources.domain("contoso.test", version: 5)])
        try await withTemporaryFolder { folder in
            try await TestReplica.with(self.cluster, services: self.controller.services) { replica in
                let node = try TestNode(folder, [replica.address], token: self.cluster.token)
                try await node.run {
                    try await waitUntil { node.domains == ["contoso.test"] && node.standing.isConnected }
                }
            }
            let away = try TestNode(folder, [.unix(path: "\(folder.path)/nobody")])
            #expect(away.domains == ["contoso.test"])
            try await away.run { try await waitUntil { away.standing.problem != nil } }
            #expect(away.standing.fault?.contains("serves state 1 of ") == true)
            #expect(away.standing.version == 1)
            try await TestReplica.with(self.cluster, services: self.controller.services) { replica in
                let back = try TestNode(folder, [replica.address])
                try await back.run { try await waitUntil { back.standing.isConnected } }
            }
            let first = try #require(self.controller.seen.firsts.last)
            #expect(first.stateVersion == 1 && first.initialResources.map(\.version) == [5])
        }
    }

    @Test("A certificate is renewed at half of its life, and the new one is shown from then on (control 12)")
    func renewal() async throws {
        self.controller.publish([Resources.domain("contoso.test")])
        self.controller.set { $0.life = .seconds(6) }
        try await self.serving { folder, address in
            let node = try TestNode(folder, [address], token: self.cluster.token)
            try await node.run {
                try await waitUntil { node.standing.isConnected }
                self.controller.set { $0.life = .seconds(3600) }
                try await waitUntil { self.controller.seen.renewals == 1 }
                try await waitUntil { self.controller.seen.followers.count == 2 }
                #expect(node.domains == ["contoso.test"])
                // The controller may ask for it, too: its authority has changed.
                self.controller.set { $0.asksForRenewal = true }
                self.controller.publish([Resources.domain("contoso.test")])
                try await waitUntil { self.controller.seen.renewals == 2 }
            }
            guard case .found(let kept) = node.directory.identity else { throw ResourceFault(nil, "no identity") }
            #expect(kept.certificate.value.notAfter > Timestamp.systemNow + .seconds(3000))
        }
    }

    @Test("A node that expired while it was away comes back by its old key (control 12)")
    func comesBack() async throws {
        self.controller.publish([Resources.domain("contoso.test")])
        try await self.serving { folder, address in
            let old = try self.cluster.credential(notAfter: .seconds(-60))
            try StateDirectory(folder.path).keep(old)
            let node = try TestNode(folder, [address])
            try await node.run { try await waitUntil { node.domains == ["contoso.test"] } }
            #expect(self.controller.seen.comebacks == 1)
            guard case .found(let kept) = node.directory.identity else { throw ResourceFault(nil, "no identity") }
            #expect(kept.key.pem == old.key.pem)
        }
    }

    @Test("Beyond the grace a node says that it needs a token, and does not crash (control 12)")
    func beyondGrace() async throws {
        self.controller.set { $0.comesBack = false }
        try await self.serving { folder, address in
            try StateDirectory(folder.path).keep(self.cluster.credential(notAfter: .seconds(-60)))
            let node = try TestNode(folder, [address])
            try await node.run {
                try await waitUntil {
                    node.standing.problem?.contains("it expired more than 7 days ago: set control.join-token") == true
                }
            }
        }
    }
}
