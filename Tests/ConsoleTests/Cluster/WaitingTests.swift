import ControlAPI
import GRPCCore
import SwiftProtobuf
import Testing

@testable import Console

@Suite("Waiting until nodes serve a change", .timeLimit(.minutes(1)))
struct WaitingTests {
    private static func node(
        _ name: String, _ status: ControlNodeStatus, serves version: UInt64, refuses refused: UInt64? = nil
    ) -> ControlNode {
        .with {
            $0.name = name
            $0.status = status
            $0.servedVersion = version
            guard let refused else { return }
            $0.refusal.stateVersion = refused
            $0.refusal.resource.type = .certificate
            $0.refusal.resource.name = "mx"
            $0.refusal.reason = "the key is not the certificate's"
        }
    }

    @Test(
        "Nodes that follow no stream are not waited for, and a refusal counts only if it is of this state or a later one"
    )
    func progress() {
        let nodes = [
            Self.node("a", .current, serves: 7), Self.node("b", .behind, serves: 6), Self.node("c", .away, serves: 1),
            Self.node("d", .revoked, serves: 0), Self.node("e", .refusing, serves: 5, refuses: 6),
        ]
        let progress = StateProgress(nodes, version: 7)
        #expect(progress.connected == 3 && progress.missing == ["b", "e"] && progress.refusal == nil)
        #expect(
            StateProgress(nodes, version: 6).refusal
                == "e refuses state 6: certificate/mx: the key is not the certificate's")
        #expect(StateProgress(nodes, version: 5).refusal == nil)
    }

    private static func change(_ wait: Duration) -> ClusterChange {
        var change = ClusterChange()
        change.wait = wait
        return change
    }

    /// Adds a domain and waits for it, beside these nodes.
    private func add(
        _ fixture: ClusterFixture, _ nodes: [ControlNode], _ wait: Duration
    ) async throws
        -> ClusterFixture.Transcript
    {
        fixture.controller.state { $0.nodes = nodes }
        return try await fixture.run { console throws(ConsoleFailure) in
            try await console.addDomain("alpha.test", settings: [], Self.change(wait))
        }
    }

    @Test("It ends when every connected node serves the state of the change")
    func served() async throws {
        try await ClusterFixture.run { fixture in
            let told = try await self.add(
                fixture, [Self.node("a", .current, serves: 2), Self.node("b", .away, serves: 1)], .seconds(30))
            #expect(told.failure == nil && told.said == ["1 node serves by state 2"])
        }
    }

    @Test("Without a node it does not wait, and says so")
    func nobody() async throws {
        try await ClusterFixture.run { fixture in
            let told = try await self.add(fixture, [], .seconds(30))
            #expect(told.said == ["no node is connected; state 2 is served as soon as one is"])
        }
    }

    @Test("It ends with 75 when the time is over, and names who is missing; the change is made")
    func late() async throws {
        try await ClusterFixture.run { fixture in
            let told = try await self.add(
                fixture, [Self.node("a", .current, serves: 2), Self.node("b", .behind, serves: 1)], .milliseconds(300))
            #expect(told.failure == ConsoleFailure(.temporary, "state 2 is not served yet by b"))
            #expect(told.output.contains("added 1"))
        }
    }

    @Test("It ends at once when a node refuses the state, with the reason")
    func refused() async throws {
        try await ClusterFixture.run { fixture in
            let told = try await self.add(fixture, [Self.node("a", .refusing, serves: 1, refuses: 2)], .seconds(30))
            #expect(told.failure?.status == .failed)
            #expect(told.failure?.description == "a refuses state 2: certificate/mx: the key is not the certificate's")
        }
    }
}
