import ClusterModel
import Foundation
import LabDNS
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore
import Testing

/// The world that other tests stand on: that it is whole, and gone afterwards.
@Suite(.timeLimit(.minutes(2)))
struct LabRelayTests {
    @Test("Each domain gets a host at an address of its own, all on one port, and its TLSA record names that port")
    func peersAndZones() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        try await LabRelay.with([.dane("bravo.test"), .forgedCertificate("forged.test")], options) { lab in
            let bravo = lab.peer("bravo.test")
            let forged = lab.peer("forged.test")
            #expect(bravo.server.port == lab.deliveryPort)
            #expect(forged.server.port == lab.deliveryPort)
            #expect(bravo.server.address != forged.server.address)
            let answer = try await ChildProcess.run(
                "kdig",
                [
                    "+short", "+tcp", "@127.0.0.1", "-p", "\(lab.internet.port)",
                    "_\(lab.deliveryPort)._tcp.mx.bravo.test", "TLSA",
                ])
            let digits = try #require(bravo.tlsa).dropFirst("3 1 1 ".count).prefix(16)
            #expect(answer.lowercased().hasPrefix("3 1 1 \(digits)"))
        }
    }

    @Test("The database has the schema, and the queue is empty")
    func emptyQueue() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        options.shards = 8
        try await LabRelay.with([], options) { lab in
            let summary = try await lab.queueSummary()
            #expect(summary.ready.entries + summary.deferred.entries == 0)
            #expect(lab.store.shardMap.count == 8)
        }
    }

    @Test("The configuration is what relayd takes, with the caller's settings in it")
    func configuration() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        options.settings = ["retry.schedule": "[1s, 2s]", "accepted-domains": "[{domain: home.test, next-hop: mx}]"]
        try await LabRelay.with([], options) { lab in
            let file = lab.relayd.configuration.path
            let shown = try await ChildProcess.run(lab.relayd.executable.path, ["config", "show", "--config", file])
            #expect(shown.contains("127.0.0.1:\(lab.smtpPort)"))
            #expect(shown.contains("  schedule: [1s, 2s]\n"))
            #expect(shown.contains("home.test"))
        }
    }

    @Test("Nothing is left behind: no folder, no process")
    func nothingIsLeft() async throws {
        var options = LabRelayOptions()
        options.startsRelayd = false
        let (folder, process) = try await LabRelay.with([.dane("bravo.test")], options) { lab in
            (lab.folder.url.path, try #require(lab.postgres.processIdentifier))
        }
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(kill(process, 0) != 0)
    }

    @Test("A folder to keep must be empty, and its path short enough for sockets")
    func keptFolders() throws {
        let name = "/tmp/relay-kept-\(UInt32.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: name) }
        let folder = try LabFolder.kept(name)
        #expect(folder.isKept)
        try "x".write(toFile: "\(name)/file", atomically: true, encoding: .utf8)
        #expect(throws: LabFailure.self) { try LabFolder.kept(name) }
        #expect(throws: LabFailure.self) { try LabFolder.kept("/tmp/\(String(repeating: "x", count: 90))") }
    }

    @Test("A real relayd relays with DANE verified, holds back what is forged, and survives being killed")
    func relays() async throws {
        var options = LabRelayOptions()
        // A killed relay's leases run out before the next one may have its shards.
        options.settings = [
            "queue.lease-ttl": "5s", "queue.lease-renewal": "1s", "database.statement-timeout": "4s",
            "database.acquire-timeout": "4s",
        ]
        try await LabRelay.with([.dane("bravo.test"), .forgedCertificate("forged.test")], options) { lab in
            let good = try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test"))
            #expect(good.kind == .send)
            #expect(good.authentication == .dane)
            #expect(lab.peer("bravo.test").server.messageCount == 1)
            let forged = try await lab.firstOutcome(of: lab.submit(to: "bob@forged.test"))
            #expect(forged.kind == .defer)
            #expect(forged.reason == "tlsa-invalid")
            #expect(lab.peer("forged.test").server.messageCount == 0)
            try await lab.relayd.restart(afterKill: true)
            let again = try await lab.firstOutcome(of: lab.submit(to: "bob@bravo.test"), within: .seconds(30))
            #expect(again.kind == .send)
            #expect(lab.relayd.logLines.contains { $0.isStructured })
            #expect(try await lab.relayd.metrics().contains("relayd_"))
        }
    }
}
