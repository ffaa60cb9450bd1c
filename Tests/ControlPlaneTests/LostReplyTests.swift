import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import ControlStore
import Cryptography
import Foundation
import GRPCCore
import GRPCTransport
import LabPeers
import MailModel
import OperatingSystem
import ServiceSupport
import Synchronization
import Testing

/// The exchange of an enrolment cut at its bytes, either way: each node ends enrolled, once (control 11).
@Suite("Enrolment over a connection that is cut", .timeLimit(.minutes(20)))
struct LostReplyTests {
    @Test(
        "A node whose enrolment was cut at any byte is enrolled once by the same token (control 11)",
        arguments: CuttingProxy.Direction.allCases)
    func cutAnywhere(_ direction: CuttingProxy.Direction) async throws {
        try await TestControl.serving(settings: {
            $0.enrolments = RequestLimit(perSecond: 10_000, burst: 10_000, atOnce: 100)
        }) { control, replica in
            guard case .host(_, let port) = replica.address else { return }
            try await CuttingProxy.with(target: port) { proxy, proxied in
                let address = TransportAddress.host("127.0.0.1", port: proxied)
                // How long the exchange is, up to the answer.
                proxy.cut(after: nil)
                _ = try await replica.enroll(
                    "first.test", try await control.token("first.test"), key: PrivateKey(.p256), at: address)
                let length = proxy.passed(direction)
                try #require(length > 200)
                let points = Self.points(in: length)
                for (number, point) in points.enumerated() {
                    try await self.enroll("edge-\(number).test", control, replica, address) {
                        proxy.cut(direction, after: point)
                    } again: {
                        proxy.cut(after: nil)
                    }
                }
                #expect(proxy.cutCount >= 100)
                #expect(try await Self.nodes(of: control.store) == points.count + 1)
                // No token served a second key, and none was burnt.
                #expect(try await Self.enrolments(at: control.store) == points.count + 1)
            }
        }
    }

    private static func nodes(of store: ControlStore) async throws -> Int {
        var names: [String] = []
        while true {
            let page = try await store.nodes(after: names.last, limit: 1000).map(\.name)
            if page.isEmpty { return Set(names).count }
            names += page
        }
    }

    /// How many enrolments are on record.
    private static func enrolments(at store: ControlStore) async throws -> Int {
        var rows: [AuditRow] = []
        while true {
            let page = try await store.audit(before: rows.last?.id, limit: 1000)
            if page.isEmpty { return rows.count { $0.change.action == "node.enroll" } }
            rows += page
        }
    }

    /// Where to cut. Request and answer are at the end: each byte there. In front of them are the handshakes, which know no enrolment:
    /// some bytes there, and with `RELAY_FAULTS=long` each.
    private static func points(in length: Int) -> [Int] {
        if ProcessInfo.processInfo.environment["RELAY_FAULTS"] == "long" { return Array(0...length) }
        return Array(stride(from: 0, to: length - 80, by: max(1, (length - 80) / 60))) + Array(length - 80...length)
    }

    /// Enrols over a connection that is cut, and then over one that is not.
    private func enroll(
        _ name: String, _ control: TestControl, _ replica: TestReplica, _ address: TransportAddress,
        cut: () -> Void, again: () -> Void
    ) async throws {
        let token = try await control.token(name)
        let key = try PrivateKey(.p256)
        cut()
        let first = try? await replica.enroll(name, token, key: key, at: address)
        again()
        let second = try await replica.enroll(name, token, key: key, at: address)
        if let first { #expect(first == second) }
        let node = try #require(try await control.store.node(name))
        #expect(!node.isRevoked)
        // The certificate that the node has is the one that the cluster knows.
        let credential = try second.identity.credential(key)
        let row = try await control.store.certificate(sha256: Digests.sha256(credential.certificate.value.der))
        #expect(row?.identity == credential.identity)
    }
}
