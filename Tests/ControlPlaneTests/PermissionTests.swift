import ClusterModel
import ControlClient
import ControlPlane
import ControlStore
import Cryptography
import GRPCCore
import MailModel
import OperatingSystem
import Testing

/// All methods × roles × no certificate × revoked × expired × another cluster's.
@Suite("Permissions", .timeLimit(.minutes(2)))
struct PermissionTests {
    /// Who may call what, told independently of the product's table; `nil`: anyone.
    private static let expected: [String: Set<ClusterRole>?] = {
        let people: Set<ClusterRole> = [.admin, .viewer]
        func methods(_ service: String, _ roles: Set<ClusterRole>?, _ names: String...) -> [(String, Set<ClusterRole>?)]
        {
            names.map { ("\(service)/\($0)", roles) }
        }
        let api = "relay.control.v1"
        return Dictionary(
            uniqueKeysWithValues: [
                methods("\(api).EnrollmentService", nil, "Enroll", "ComeBack"),
                methods("\(api).NodeService", [.node], "Watch", "ReportServed", "RenewCertificate"),
                methods("\(api).DomainService", people, "GetDomain", "ListDomains"),
                methods("\(api).DomainService", [.admin], "ApplyDomains", "RemoveDomain", "ReplaceRecipients"),
                methods("\(api).UserService", people, "ListUsers"),
                methods("\(api).UserService", [.admin], "SetUser", "RemoveUser"),
                methods("\(api).CertificateService", people, "ListCertificates", "GetCertificate"),
                methods("\(api).CertificateService", [.admin], "ImportCertificate"),
                methods("\(api).FleetService", people, "ListNodes", "DiffNode", "GetSettings"),
                methods(
                    "\(api).FleetService", [.admin], "CreateJoinToken", "RevokeNode", "RevokePerson", "SetSettings"),
                methods(
                    "\(api).ClusterService", people, "GetStatus", "GetAuthority", "ListAudit", "RenewCredential"),
                methods("\(api).ClusterService", [.admin], "RotateAuthority"),
                methods(
                    "\(api).QueueService", people, "GetQueueTime", "ListEntries", "GetMessage", "GetTrace",
                    "GetOverview", "GetCensus", "GetShape", "CountAction", "ListRules"),
                methods(
                    "\(api).QueueService", [.admin], "ReadContent", "PerformAction", "FlushDns", "MakeRule",
                    "LiftRules"),
                methods("grpc.health.v1.Health", nil, "Check"),
                methods("grpc.health.v1.Health", [.node, .admin, .viewer, .controller], "Watch"),
                methods("grpc.reflection.v1.ServerReflection", people, "ServerReflectionInfo"),
            ].flatMap { $0 })
    }()

    /// What a call came to, before its handler or in it.
    private enum Answer: String {
        case handled
        case unauthenticated
        case wrongRole
        case revoked

        init(_ status: (code: Status.Code, message: String)) {
            switch status.code {
            case .unauthenticated: self = .unauthenticated
            case .permissionDenied where status.message.hasSuffix("is revoked"): self = .revoked
            case .permissionDenied where status.message.contains("may not call"): self = .wrongRole
            default: self = .handled
            }
        }
    }

    private func walk(
        _ replica: TestReplica, _ client: TestReplica.Client, _ who: String, expecting: (Set<ClusterRole>) -> Answer
    ) async throws {
        for method in replica.plane.methods {
            let answer = Answer(try await client.knock(method))
            let roles = try #require(Self.expected[method.fullyQualifiedMethod], "\(method) is in no table")
            #expect(answer == roles.map(expecting) ?? .handled, "\(who) calls \(method)")
        }
    }

    @Test("Every method of proto/ is served, and has its row in both tables (control 16)")
    func complete() async throws {
        try await TestControl.serving(settings: { $0.offersReflection = true }) { _, replica in
            let served = Set(replica.plane.methods.map(\.fullyQualifiedMethod))
            let described = try describedMethods()
            #expect(served == described)
            #expect(served == Set(Self.expected.keys))
            for method in replica.plane.methods {
                let expected = try #require(Self.expected[method.fullyQualifiedMethod])
                #expect(AccessTable.rule(for: method) == expected.map { .roles($0) } ?? .anyone)
            }
        }
        // Without the setting there is no reflection.
        try await TestControl.serving { _, replica in
            #expect(!replica.plane.methods.contains { $0.service.fullyQualifiedService.contains("reflection") })
        }
    }

    @Test("Each role calls exactly the methods of the table (control 16, control 17)", arguments: ClusterRole.allCases)
    func roles(_ role: ClusterRole) async throws {
        try await TestControl.serving(settings: { $0.offersReflection = true }) { control, replica in
            let credential =
                role == .controller
                ? try control.unrecorded(role, "someone") : try await control.enrolled(role, "someone")
            try await replica.with(credential) { client in
                try await self.walk(replica, client, "\(role)") { $0.contains(role) ? .handled : .wrongRole }
            }
        }
    }

    @Test("Without a certificate, or with one that does not count, only what is for anyone is answered (control 16)")
    func strangers() async throws {
        try await TestControl.serving(settings: { $0.offersReflection = true }) { control, replica in
            func refused(_ who: String, _ client: TestReplica.Client) async throws {
                try await self.walk(replica, client, who) { _ in .unauthenticated }
            }
            try await replica.with(.pinned([control.authority.certificate], of: control.name)) {
                try await refused("nobody", $0)
            }
            let other = try CertificateAuthority.selfSigned(
                CertificateRequest(
                    commonName: "lab authority", notBefore: .systemNow + .seconds(-300),
                    notAfter: .systemNow + .seconds(86_400), isAuthority: true),
                key: PrivateKey(.p256))
            for role in ClusterRole.allCases {
                let expired = try control.unrecorded(role, "someone", from: .seconds(-7200), until: .seconds(-3600))
                try await replica.with(expired) { try await refused("expired \(role)", $0) }
                let foreign = try control.unrecorded(role, "someone", by: other)
                try await replica.with(foreign) { try await refused("\(role) of another authority", $0) }
                let misnamed = ["relay://other/\(role.rawValue)/someone"]
                try await replica.with(uris: misnamed) { try await refused("\(role) of another cluster", $0) }
            }
            let both = try [ClusterRole.admin, .node].map { try control.identity($0, "someone").uri }
            try await replica.with(uris: both) { try await refused("two roles at once", $0) }
            try await replica.with(uris: []) { try await refused("a certificate without a role", $0) }
        }
    }

    @Test(
        "Who is revoked is refused at the next call on the same connection (control 16)",
        arguments: [ClusterRole.node, .admin, .viewer])
    func revoked(_ role: ClusterRole) async throws {
        try await TestControl.serving(settings: { $0.offersReflection = true }) { control, replica in
            let credential = try await control.enrolled(role, "someone")
            try await replica.with(credential) { client in
                let before = try await client.knock(try #require(replica.method("grpc.health.v1.Health/Watch")))
                #expect(Answer(before) == .handled)
                try await replica.with(control.admin) { try await $0.revoke(credential.identity) }
                try await self.walk(replica, client, "revoked \(role)") { _ in .revoked }
            }
        }
    }
}
