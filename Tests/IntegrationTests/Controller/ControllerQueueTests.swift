import Foundation
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// The queue as people see it who have a credential of the cluster, and no login of its database.
@Suite("The queue through a controller", .followingRelay, .timeLimit(.minutes(3)))
struct ControllerQueueTests {
    private var cluster: LabCluster { get throws { try #require(try SharedLab.lab.cluster) } }

    /// By the administrator's context.
    private func throughController(
        _ arguments: String..., environment: [String: String]? = nil
    ) async throws -> ProgramRun {
        try await ProgramRun.of(
            "relayctl", arguments, environment: try environment ?? self.cluster.environment)
    }

    private func onDatabase(_ arguments: String...) async throws -> ProgramRun {
        try await SharedLab.lab.relayctl(arguments)
    }

    /// Submits a message whose first attempt fails, and waits for that.
    private func sendWaiting(to domain: String) async throws -> MessageID {
        let lab = try SharedLab.lab
        let id = try await lab.submit(to: "bob@\(domain)")
        try await lab.wait(for: id) { $0.contains { $0.kind == .defer } }
        return id
    }

    @Test("List, show, hold and release say the same through the controller as on the database")
    func sameOutput() async throws {
        let id = "\(try await self.sendWaiting(to: "held.test"))"
        let listed = try await self.throughController("queue", "list", "--id", id, "-o", "json")
        #expect(listed.status == 0 && listed.errors.isEmpty, "\(listed.errors)")
        #expect(try (listed.json["entries"] as? [[String: Any]])?.first?["queue_id"] as? String == id)
        let listedThere = try await self.onDatabase("queue", "list", "--id", id, "-o", "json")
        #expect(listed.output == listedThere.output)

        let held = try await self.throughController("queue", "hold", "--id", id, "--reason", "odd", "-o", "json")
        #expect(try held.status == 0 && held.json["affected"] as? Int == 1, "\(held.errors)")
        let shown = try await self.throughController("queue", "show", id, "-o", "json")
        let shownThere = try await self.onDatabase("queue", "show", id, "-o", "json")
        #expect(shown.output == shownThere.output)
        // Whom the credential names is on record, and not the controller's login.
        #expect(shown.output.contains("by relay://lab/admin/admin: odd"), "\(shown.output)")
        let released = try await self.throughController("queue", "release", "--id", id, "-o", "json")
        #expect(released.status == 0, "\(released.errors)")

        try await SharedLab.lab.wait(for: try #require(MessageID(id))) { $0.count { $0.kind == .defer } == 2 }

        // The same again on the database, with the same count.
        let heldThere = try await self.onDatabase("queue", "hold", "--id", id, "--reason", "odd", "-o", "json")
        #expect(heldThere.output == held.output)
        let releasedThere = try await self.onDatabase("queue", "release", "--id", id, "-o", "json")
        #expect(releasedThere.output == released.output)
    }

    @Test("A summary says the same through the controller, and so does what does not exist")
    func sameSummary() async throws {
        _ = try await self.sendWaiting(to: "other.test")
        let words = ["queue", "summary", "--exact", "-o", "json"]
        // Other tests change the queue meanwhile: some moment has both alike.
        let areAlike = try await eventually {
            let there = try await SharedLab.lab.relayctl(words)
            let here = try await ProgramRun.of("relayctl", words, environment: self.cluster.environment)
            return here.status == 0 && here.output == there.output
        }
        #expect(areAlike)
        let absent = ["queue", "show", "01M8A8V41W36SZCT2SZ7HPKB7S"]
        let here = try await ProgramRun.of("relayctl", absent, environment: self.cluster.environment)
        let there = try await SharedLab.lab.relayctl(absent)
        #expect(here.status == 65 && there.status == 65 && here.errors == there.errors, "\(here.errors)")
    }

    @Test("A viewer may list, and neither hold nor read content nor forget DNS answers: 77")
    func viewer() async throws {
        let id = "\(try await self.sendWaiting(to: "viewed.test"))"
        try await withTemporaryFolder { folder in
            let cluster = try self.cluster
            let viewer = ["HOME": folder.path, "XDG_CONFIG_HOME": folder.appending(path: ".config").path]
            let login = try await ProgramRun.of(
                "relayctl",
                ["login", "--controller", cluster.replica.address, "--token-file", "-", "--name", "vera"],
                input: try await cluster.token(for: "vera", role: "viewer") + "\n", environment: viewer)
            try #require(login.status == 0, "\(login.errors)")
            let listed = try await self.throughController("queue", "list", "--id", id, environment: viewer)
            #expect(listed.status == 0 && listed.output.contains(id), "\(listed.errors)")
            for words in [["queue", "hold", "--id", id], ["queue", "cat", id], ["dns", "flush", "viewed.test"]] {
                let run = try await ProgramRun.of("relayctl", words, environment: viewer)
                #expect(run.status == 77 && run.errors.split(separator: "\n").count == 1, "\(words): \(run.errors)")
            }
            let held = try await self.onDatabase("queue", "list", "--id", id, "-o", "jsonl")
            #expect(try held.json["state"] as? String == "deferred")
        }
    }
}

extension Trait where Self == SharedLab {
    /// A relay that follows a controller, and whose mail waits for a quarter of an hour.
    fileprivate static var followingRelay: Self {
        var options = LabRelayOptions()
        options.followsController = true
        return .lab(
            ["held", "other", "viewed"].map {
                .dane("\($0).test", rules: [.on(.everyRecipient, .reply("450 4.2.1 Busy"))])
            }, options)
    }
}
