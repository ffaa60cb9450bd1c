import ClusterModel
import ControlAPI
import ControlClient
import ControlPlane
import ControlStore
import Cryptography
import Foundation
import GRPCCore
import MailModel
import OperatingSystem
import SwiftProtobuf
import Testing

@Suite("Enrolment", .timeLimit(.minutes(2)))
struct EnrolmentTests {
    @Test("A token gives a certificate, and the same certificate again for the same key (control 11)")
    func idempotent() async throws {
        try await TestControl.serving { control, replica in
            let token = try await control.token("edge-1.test")
            let key = try PrivateKey(.p256)
            let first = try await replica.enroll("edge-1.test", token, key: key)
            let second = try await replica.enroll("edge-1.test", token, key: key)
            #expect(first == second)
            #expect(first.cluster == "lab")
            let credential = try first.identity.credential(key)
            #expect(credential.identity.uri == "relay://lab/node/edge-1.test")
            #expect(credential.certificate.value.notAfter - .systemNow < .seconds(86_400))
            #expect(try await control.store.nodes().map(\.name) == ["edge-1.test"])
            // With it the node is one.
            let report = try await replica.with(credential) {
                try await ControlNodeService.Client(wrapping: $0).reportServed(.init())
            }
            #expect(report.authoritiesDer == [Data(control.authorityRow.certificate)])
            #expect(!report.renew)
        }
    }

    @Test("A token is good for its names, its role, its uses and its time (control 11)")
    func scope() async throws {
        try await TestControl.serving { control, replica in
            func result(
                _ name: String, _ token: JoinToken, role: ControlRole = .unspecified
            ) async throws -> Status.Code {
                try await status { try await replica.enroll(name, token, key: PrivateKey(.p256), role: role) }.code
            }
            let token = try await control.token("edge-*.test", uses: 2)
            #expect(try await result("mx.test", token) == .permissionDenied)
            #expect(try await result("edge-1.test", token, role: .admin) == .permissionDenied)
            #expect(try await result("edge-1", token, role: .viewer) == .permissionDenied)
            #expect(try await result("edge-1.test", token) == .ok)
            #expect(try await result("edge-2.test", token) == .ok)
            #expect(try await result("edge-3.test", token) == .permissionDenied)
            let old = try await control.token("edge-4.test", lifetime: .seconds(-1))
            #expect(try await result("edge-4.test", old) == .unauthenticated)
            let unknown = JoinToken(
                cluster: control.name, authority: control.authorityRow.sha256, secret: [UInt8](repeating: 1, count: 24))
            #expect(try await result("edge-5.test", unknown) == .unauthenticated)
            #expect(try await control.store.nodes().map(\.name) == ["edge-1.test", "edge-2.test"])
        }
    }

    @Test("What a stranger sends is checked before anything is done, and the answer names the field")
    func malformed() async throws {
        try await TestControl.serving { control, replica in
            let token = try await control.token("*")
            let good = try CertificateSigningRequest.make(key: PrivateKey(.p256), commonName: "x")
            func answer(_ change: (inout ControlEnrollRequest) -> Void) async throws -> String {
                var request = ControlEnrollRequest.with {
                    $0.token = token.text
                    $0.nodeName = "edge.test"
                    $0.signingRequestDer = Data(good)
                }
                change(&request)
                let sent = request
                let (code, message) = try await status {
                    try await replica.with(.token(token)) {
                        try await ControlEnrollmentService.Client(wrapping: $0).enroll(sent)
                    }
                }
                #expect(code == .invalidArgument)
                return String(message.prefix { $0 != ":" })
            }
            #expect(try await answer { $0.token = "relay-join_lab" } == "token")
            #expect(try await answer { $0.nodeName = "Edge.test" } == "node_name")
            #expect(try await answer { $0.nodeName = "" } == "node_name")
            #expect(try await answer { $0.role = .UNRECOGNIZED(9) } == "role")
            #expect(try await answer { $0.signingRequestDer = Data() } == "signing_request_der")
            #expect(try await answer { $0.signingRequestDer[20] ^= 1 } == "signing_request_der")
            #expect(try await answer { $0.signingRequestDer = Data(count: 9000) } == "signing_request_der")
            #expect(try await control.store.nodes().isEmpty)
        }
    }

    @Test("Strangers share a budget of attempts, and hear when to come again (control 8)")
    func budget() async throws {
        try await TestControl.serving(settings: { $0.enrolments = RequestLimit(perSecond: 1, burst: 2) }) {
            control, replica in
            let token = try await control.token("*", uses: 10)
            var codes: [Status.Code] = []
            var delay: String?
            for number in 1...4 {
                do {
                    _ = try await replica.enroll("edge-\(number).test", token, key: PrivateKey(.p256))
                    codes.append(.ok)
                } catch let error as RPCError {
                    codes.append(Status.Code(error.code))
                    delay = error.metadata[stringValues: "grpc-retry-pushback-ms"].first { _ in true }
                }
            }
            #expect(codes.contains(.resourceExhausted))
            #expect(codes.filter { $0 == .ok }.count >= 2)
            #expect(try #require(delay.flatMap { Int($0) }) <= 1000)
        }
    }

    @Test("A node that expired comes back with its old key within the grace, and not later (control 12)")
    func comingBack() async throws {
        try await TestControl.serving { control, replica in
            func comeBack(_ old: ClusterCredential, key: PrivateKey? = nil) async throws -> ControlComeBackResponse {
                let signed = try CertificateSigningRequest.make(key: key ?? old.key, commonName: "x")
                return try await replica.with(.pinned([control.authority.certificate], of: control.name)) {
                    try await ControlEnrollmentService.Client(wrapping: $0).comeBack(
                        .with {
                            $0.expiredCertificateDer = Data(old.certificate.value.der)
                            $0.signingRequestDer = Data(signed)
                        })
                }
            }
            let old = try await control.enrolled(.node, "edge-1.test", from: .seconds(-90_000), until: .seconds(-3600))
            let back = try await comeBack(old).identity.credential(old.key)
            #expect(back.identity == old.identity)
            #expect(back.certificate.value.notAfter > .systemNow)
            #expect(try await status { try await comeBack(old, key: PrivateKey(.p256)) }.code == .invalidArgument)
            let longAgo = try await control.enrolled(
                .node, "edge-2.test", from: .seconds(-900_000), until: .seconds(-8 * 86_400))
            let late = try await status { try await comeBack(longAgo) }
            #expect(late.code == .permissionDenied)
            // It says what helps, and both clocks (control 15).
            #expect(late.message.contains("join token"))
            #expect(late.message.contains("\(longAgo.certificate.value.notAfter)"))
            let foreign = try await TestControl.with("lab") { try $0.unrecorded(.node, "edge-1.test", key: old.key) }
            #expect(try await status { try await comeBack(foreign) }.code == .permissionDenied)
            let admin = try await control.enrolled(.admin, "eve", from: .seconds(-90_000), until: .seconds(-3600))
            #expect(try await status { try await comeBack(admin) }.code == .invalidArgument)
        }
    }

    @Test("A node renews with a new key, and an admin renews its own credential (control 12)")
    func renewal() async throws {
        try await TestControl.serving { control, replica in
            let node = try await control.enrolled(.node, "edge-1.test")
            let key = try PrivateKey(.p256)
            let signed = Data(try CertificateSigningRequest.make(key: key, commonName: "edge-1.test"))
            let renewed = try await replica.with(node) {
                try await ControlNodeService.Client(wrapping: $0).renewCertificate(
                    .with { $0.signingRequestDer = signed })
            }
            let next = try renewed.identity.credential(key)
            #expect(next.identity == node.identity)
            _ = try await replica.with(next) { try await ControlNodeService.Client(wrapping: $0).reportServed(.init()) }
            let person = try await replica.with(control.admin) {
                try await ControlClusterService.Client(wrapping: $0).renewCredential(
                    .with { $0.signingRequestDer = signed })
            }
            #expect(try person.identity.credential(key).identity == control.admin.identity)
            let lifetime = try person.identity.credential(key).certificate.value.notAfter - .systemNow
            #expect(lifetime > .seconds(89 * 86_400))
        }
    }
}
