import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import ControlStore
import Cryptography
import Foundation
import GRPCCore
import LabSupport
import MailModel
import OperatingSystem
import SwiftProtobuf
import Synchronization
import Telemetry
import Testing

@Suite("Rotation of the authority", .timeLimit(.minutes(3)))
struct RotationTests {
    /// A node that follows a rotation as relayd does: it trusts what its controller names, and renews when it is told to.
    private final class RotatingNode: Sendable {
        private let credential: Mutex<ClusterCredential>
        let calls = Mutex(0)

        init(_ credential: ClusterCredential) { self.credential = Mutex(credential) }

        var current: ClusterCredential { self.credential.withLock { $0 } }

        /// Calls without a pause until the task is cancelled; each round over a connection of its own. Throws if a call fails.
        func run(_ replica: TestReplica) async throws {
            while !Task.isCancelled {
                do {
                    try await replica.with(self.current) { try await self.calls($0) }
                } catch  where Task.isCancelled {
                    return
                }
            }
        }

        private func calls(_ client: TestReplica.Client) async throws {
            let nodes = ControlNodeService.Client(wrapping: client)
            for _ in 0..<5 {
                let held = self.current
                let report = try await nodes.reportServed(
                    .with {
                        $0.trustedAuthoritiesSha256 = held.authorities.map { Data(Digests.sha256($0.value.der)) }
                    })
                self.calls.withLock { $0 += 1 }
                let trusted = try report.authoritiesDer.map { try Certificate(der: Array($0)) }
                if trusted.map(\.value) != held.authorities.map(\.value) {
                    let next = try ClusterCredential(
                        key: held.key, certificate: held.certificate, authorities: trusted)
                    self.credential.withLock { $0 = next }
                }
                if report.renew { try await self.renew(nodes) }
            }
        }

        private func renew(_ nodes: TestReplica.NodeClient) async throws {
            let held = self.current
            let signed = try CertificateSigningRequest.make(key: held.key, commonName: held.identity.name)
            let answer = try await nodes.renewCertificate(.with { $0.signingRequestDer = Data(signed) })
            let next = try answer.identity.credential(held.key)
            self.credential.withLock { $0 = next }
        }
    }

    @Test("An authority is rotated under three nodes that call all the time, and no call fails (control 14)")
    func underLoad() async throws {
        try await TestControl.serving { control, replica in
            let nodes = try await [1, 2, 3].asyncMap {
                RotatingNode(try await control.enrolled(.node, "edge-\($0).test"))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for node in nodes { group.addTask { try await node.run(replica) } }
                // The administrator trusts what the cluster says, too.
                try await replica.with(control.admin) { client in
                    let cluster = ControlClusterService.Client(wrapping: client)
                    try await self.step(cluster, from: .settled, to: .trustingBoth)
                    try await self.step(cluster, from: .trustingBoth, to: .issuingNew)
                    try await self.step(cluster, from: .issuingNew, to: .settled)
                }
                let before = nodes.map { $0.calls.withLock { $0 } }
                #expect(
                    await eventually {
                        zip(nodes, before).allSatisfy { node, count in node.calls.withLock { $0 } > count + 20 }
                    })
                group.cancelAll()
                try await group.waitForAll()
            }
            let authorities = try await control.store.authorities()
            #expect(authorities.filter(\.isTrusted).count == 1)
            #expect(authorities.first?.sha256 != control.authorityRow.sha256)
            for node in nodes {
                #expect(node.current.authorities.map { Digests.sha256($0.value.der) } == [authorities[0].sha256])
            }
            // What the old authority issued counts no more.
            let old = try control.unrecorded(.admin, "root")
            let refused = try ClusterCredential(
                key: old.key, certificate: old.certificate,
                authorities: [Certificate(der: authorities[0].certificate)])
            let end = try await status {
                try await replica.with(refused) {
                    try await ControlClusterService.Client(wrapping: $0).getStatus(.init())
                }
            }
            #expect(end.code == .unauthenticated)
        }
    }

    /// Asks for the step until its barrier is open.
    private func step(
        _ cluster: TestReplica.ClusterClient, from: ControlRotationPhase,
        to: ControlRotationPhase
    ) async throws {
        let reached = try await eventualValue(within: .seconds(40)) { () -> ControlRotationPhase? in
            do {
                return try await cluster.rotateAuthority(.with { $0.from = from }).phase
            } catch let error as RPCError where error.code == .failedPrecondition {
                #expect(error.message.contains("edge-"))
                return nil
            }
        }
        #expect(reached == to)
        let shown = try await cluster.getAuthority(.init())
        #expect(shown.phase == to)
        #expect(shown.authorities.count == (to == .settled ? 1 : 2))
        #expect(shown.authorities.count(where: \.isIssuing) == 1)
    }

    @Test("A step is taken from the phase that was seen, once, and waits for nodes that would lose trust (control 14)")
    func barrier() async throws {
        try await TestControl.serving { control, replica in
            _ = try await control.enrolled(.node, "edge-1.test")
            _ = try await control.enrolled(.node, "gone.test", from: .seconds(-90_000), until: .seconds(-10))
            try await replica.with(control.admin) { client in
                let cluster = ControlClusterService.Client(wrapping: client)
                func rotate(_ phase: ControlRotationPhase, dry: Bool = false) async throws -> Status.Code {
                    try await status {
                        try await cluster.rotateAuthority(
                            .with {
                                $0.from = phase
                                $0.context.dryRun = dry
                            })
                    }.code
                }
                #expect(try await rotate(.unspecified) == .invalidArgument)
                #expect(try await rotate(.issuingNew) == .aborted)
                #expect(try await rotate(.settled, dry: true) == .ok)
                #expect(try await cluster.getAuthority(.init()).phase == .settled)
                #expect(try await rotate(.settled) == .ok)
                #expect(try await rotate(.settled) == .aborted)
                #expect(try await rotate(.trustingBoth) == .failedPrecondition)
                // An expired node is not waited for.
                #expect(try await cluster.getAuthority(.init()).waitingFor == ["edge-1.test"])
                try await client.revoke(try control.identity(.node, "edge-1.test"))
                #expect(try await cluster.getAuthority(.init()).waitingFor.isEmpty)
                #expect(try await rotate(.trustingBoth) == .ok)
            }
            #expect(replica.registry.exposition().contains("authority_not_after_timestamp_seconds"))
        }
    }

    @Test("A replica that lags behind a rotation signs once more, by the authority that issues now (control 14)")
    func laggingReplica() async throws {
        try await TestControl.with { control in
            let lagging = try await ClusterAuthority(
                cluster: control.name, replica: "replica-1", terms: CertificateTerms(), store: control.store,
                keys: control.keys, clock: .system)
            let (_, second) = try ClusterAuthority.found(
                control.name, keys: control.keys, isIssuing: false, at: .systemNow)
            let change = ControlChange(actor: "test", action: "authority.rotate", object: "cluster/lab")
            try #require(try await control.store.step(from: .settled, to: .trustingBoth, adding: second, change))
            let token = try await control.token("edge-1.test")
            try #require(try await control.store.step(from: .trustingBoth, to: .issuingNew, adding: nil, change))
            let key = try PrivateKey(.p256).subjectPublicKeyInfo
            let (row, redemption) = try await lagging.issue(
                try control.identity(.node, "edge-1.test"), publicKey: key
            ) {
                try await control.store.redeem(secretSHA256: Digests.sha256(token.secret), $0)
            }
            #expect(redemption == .accepted)
            #expect(try Certificate(der: row.der).isIssued(by: Certificate(der: second.certificate)))
        }
    }

    @Test("A replica whose certificate has expired issues itself another, while it runs and at its start (control 13)")
    func expiredController() async throws {
        try await TestControl.with { control in
            let clock = ShiftedClock(by: .seconds(-3 * 86_400))
            func call(_ replica: TestReplica) async throws -> Status.Code {
                try await status {
                    try await replica.with(control.admin) {
                        try await ControlClusterService.Client(wrapping: $0).getStatus(.init())
                    }
                }.code
            }
            try await control.withReplica(clock: clock) { replica in
                let expired = try await call(replica)
                #expect(expired == .unavailable)
                clock.shift(by: .zero)
                let isRenewed = try await eventually { try await call(replica) == .ok }
                #expect(isRenewed)
            }
            let started = try await control.withReplica { replica in try await call(replica) }
            #expect(started == .ok)
        }
    }
}

/// The clock of this machine, set wrong.
private final class ShiftedClock: NodeClock {
    private let offset: Mutex<Duration>

    init(by offset: Duration) { self.offset = Mutex(offset) }

    func shift(by offset: Duration) { self.offset.withLock { $0 = offset } }

    var now: MonotonicInstant { SystemClock().now }

    var date: Timestamp { SystemClock().date + self.offset.withLock { $0 } }

    func sleep(for duration: Duration) async throws { try await SystemClock().sleep(for: duration) }
}

extension Sequence where Element: Sendable {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
