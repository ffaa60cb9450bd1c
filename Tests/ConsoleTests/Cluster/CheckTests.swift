import ControlAPI
import FoundationEssentials
import GRPCCore
import LabSupport
import MailModel
import SwiftProtobuf
import Testing

@testable import Console

@Suite("relayctl check")
struct CheckTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func time(_ offset: Duration) -> Google_Protobuf_Timestamp { .init(Self.now + offset) }

    /// A cluster in which all is well, changed by `body`.
    private static func report(_ body: (inout ClusterFacts) -> Void = { _ in }) -> CheckReport {
        var facts = ClusterFacts(
            now: Self.now, program: "0.1.0",
            status: .with {
                $0.cluster = "lab"
                $0.stateVersion = 7
                $0.leader = "c1"
                $0.replica = "c2"
                $0.programVersion = "0.1.0"
                $0.clock = Self.time(.milliseconds(-40))
            },
            authority: .with {
                $0.phase = .settled
                $0.authorities = [
                    .with {
                        $0.isIssuing = true
                        $0.notBefore = Self.time(.seconds(-100))
                        $0.notAfter = Self.time(.seconds(900))
                    }
                ]
            },
            nodes: [
                .with {
                    $0.name = "mx1"
                    $0.status = .current
                    $0.programVersion = "0.1.0"
                    $0.servedVersion = 7
                    $0.clockOffset = .init(seconds: 1)
                }
            ],
            certificates: [
                .with {
                    $0.name = "mx"
                    $0.dnsNames = ["mx.alpha.test"]
                    $0.notBefore = Self.time(.seconds(-100))
                    $0.notAfter = Self.time(.seconds(86_400 * 60))
                }
            ], domains: ["alpha.test"])
        body(&facts)
        return facts.report
    }

    private static func bad(_ report: CheckReport) -> [String] {
        report.categories.flatMap(\.findings).filter { $0.outcome != .ok }.map { "\($0.outcome.rawValue) \($0.title)" }
    }

    @Test("All is well")
    func well() {
        let report = Self.report()
        #expect(report.outcome == .ok && Self.bad(report).isEmpty)
        #expect(
            report.lines(isUnicode: true) == [
                "controller", "----------", "√ replica c2 of cluster lab answers",
                "√ the clock here is +40 ms off the controller's",
                "√ replica c1 leads", "√ all run version 0.1.0", "", "authority", "---------",
                "√ the authority is valid for 15m", "√ no rotation is under way", "", "nodes", "-----",
                "√ 1 node: all serve state 7", "", "certificates", "------------",
                "√ 1 certificate: all valid; the first ends in 60d", "", "domains", "-------",
                "√ 1 domain: each with a certificate for a host of its own", "", "Status check results are √",
            ])
        #expect(report.lines(isUnicode: false).last == "Status check results are [ok]")
        #expect(report.lines(isUnicode: false).allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } })
    }

    @Test("What somebody should look at is a warning with a hint")
    func warnings() {
        #expect(
            Self.bad(Self.report { $0.status.clock = Self.time(.seconds(-3)) }) == [
                "warning the clock here is +3.0 s off the controller's"
            ])
        #expect(Self.bad(Self.report { $0.status.leader = "" }) == ["warning no replica leads"])
        #expect(
            Self.bad(Self.report { $0.nodes[0].programVersion = "0.2.0" }) == [
                "warning versions differ: 0.1.0: relayctl, the controller; 0.2.0: mx1"
            ])
        #expect(
            Self.bad(Self.report { $0.authority.authorities[0].notAfter = Self.time(.seconds(42)) }) == [
                "warning the authority is valid for 42s"
            ])
        #expect(
            Self.bad(
                Self.report {
                    $0.authority.phase = .trustingBoth
                    $0.authority.waitingFor = ["mx1"]
                }) == ["warning a rotation of the authority is under way (trusting-both)"])
        #expect(
            Self.bad(Self.report { $0.nodes[0].clockOffset = .init(seconds: -2, nanos: -500_000_000) }) == [
                "warning the clock of mx1 is -2.5 s off the controller's"
            ])
        #expect(Self.report { $0.nodes[0].status = .away }.outcome == .warning)
        let report = Self.report { $0.status.leader = "" }
        #expect(report.lines(isUnicode: true).contains { $0.hasPrefix("    rotations and cleaning wait") })
        #expect(report.lines(isUnicode: true).last == "Status check results are ‼: 1 warning")
    }

    @Test("What does not work, or soon will not, is an error")
    func errors() {
        #expect(
            Self.bad(
                Self.report {
                    $0.nodes[0].status = .refusing
                    $0.nodes[0].refusal.stateVersion = 7
                    $0.nodes[0].refusal.reason = "no key"
                }) == ["error mx1 refuses state 7: no key"])
        #expect(Self.bad(Self.report { $0.nodes[0].status = .expired }) == ["error the certificate of mx1 has expired"])
        #expect(
            Self.bad(Self.report { $0.certificates[0].notAfter = Self.time(.seconds(86_400)) }) == [
                "error certificate mx ends in 1d"
            ])
        #expect(Self.bad(Self.report { $0.certificates = [] }) == ["error 1 domain, and no certificate"])
        #expect(Self.report { $0.authority.authorities[0].notAfter = Self.time(.seconds(-1)) }.outcome == .error)
    }

    @Test(
        "A person's credential is told with what is left of it",
        arguments: [
            (-10, 100, CheckFinding.Outcome.ok), (-90, 10, .warning), (-100, -1, .error), (5, 100, .error),
        ])
    func credential(from begin: Int, to end: Int, _ outcome: CheckFinding.Outcome) {
        let facts = CredentialFacts(
            identity: "relay://lab/admin/alice", notBefore: Self.now + .seconds(begin),
            notAfter: Self.now + .seconds(end))
        #expect(facts.findings(at: Self.now).map(\.outcome) == [outcome])
    }

    @Test("The program asks a controller, and ends with 1 if something is not well", .timeLimit(.minutes(1)))
    func command() async throws {
        try await ClusterFixture.run { fixture in
            let context = ClusterContext(
                name: "lab", addresses: [fixture.address], credential: try fixture.controller.credential())
            let well = await fixture.transcript { session throws(ConsoleFailure) in
                try await session.check(context, program: "0.1.0", as: .json, isUnicode: true)
            }
            #expect(try well.failure == nil && well.json["result"] as? String == "warning")
            fixture.controller.state { state in
                state.domains["alpha.test"] = .with { $0.domain.name = "alpha.test" }
            }
            let ill = await fixture.transcript { session throws(ConsoleFailure) in
                try await session.check(context, program: "0.1.0", as: .table, isUnicode: true)
            }
            #expect(ill.failure?.status == .failed && ill.lines.last?.hasPrefix("Status check results are ×") == true)
        }
    }

    @Test("Without a controller the check tells of the credential, and ends with 69", .timeLimit(.minutes(1)))
    func nobody() async throws {
        let controller = try TestController()
        try await withTemporaryFolder { folder in
            let address = try #require(ControllerAddress("127.0.0.1:1"))
            let fixture = ClusterFixture(
                controller: controller, address: address, folder: folder, store: ContextStore(folder: folder.path))
            let context = ClusterContext(name: "lab", addresses: [address], credential: try controller.credential())
            let told = await fixture.transcript { session throws(ConsoleFailure) in
                try await session.check(context, program: "0.1.0", as: .table, isUnicode: true)
            }
            #expect(told.failure?.status == .unavailable)
            #expect(
                told.lines.contains { $0.hasPrefix("√ the credential of relay://lab/admin/alice is valid for 23h") })
            #expect(told.lines.contains { $0.hasPrefix("× no controller can be reached") })
        }
    }
}
