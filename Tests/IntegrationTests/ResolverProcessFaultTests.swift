import Foundation
import LabRelay
import LabSupport
import Testing

/// The resolver's process is not the node: what becomes of the one costs the other nothing.
@Suite("A resolver's process killed at any instant", .timeLimit(.minutes(FaultForm.choose(short: 3, long: 60))))
struct ResolverProcessFaultTests {
    private static let kills = FaultForm.choose(short: 30, long: 1_000)

    @Test("Killed at random instants under load: nothing is lost, nothing goes in clear, and the node lives (field 0)")
    func kills() async throws {
        var options = LabRelayOptions.faults()
        // Every message is looked up anew, so that each kill meets look-ups.
        options.settings["resolver.cache-entries"] = "0"
        try await LabRelay.with([.sink("bravo.test")], options) { lab in
            var random = FaultForm.random(for: "kill -9 of the resolver's process")
            let node = try #require(lab.relayd.processIdentifier)
            let load = FaultLoad(lab, to: ["bravo.test"])
            var killed = 0
            try await load.run {
                while killed < Self.kills {
                    try await Task.sleep(for: random.duration(.milliseconds(20) ... .milliseconds(600)))
                    for child in Self.children(of: node) where kill(child, SIGKILL) == 0 { killed += 1 }
                }
            }
            #expect(lab.relayd.processIdentifier == node, "the node was started anew")
            let verdict = try await load.prove("kill -9 of the resolver's process", runs: killed)
            #expect(verdict.acknowledged > 20, "there was hardly any load")
            #expect(verdict.copies == 0)
            #expect(try await lab.count(events: "kind = 'SEND' AND auth IS DISTINCT FROM 'dane'") == 0)
            #expect(try await lab.count(events: "kind IN ('DEFER', 'FAIL')") == 0, "no step of a schedule was spent")
        }
    }

    /// The processes that this one has started and that run.
    private static func children(of process: Int32) -> [Int32] {
        let folder = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return threads.flatMap { thread in
            let text = try? String(contentsOfFile: "\(folder)/\(thread)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }
}
