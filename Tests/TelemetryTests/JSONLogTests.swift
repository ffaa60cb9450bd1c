import Foundation
import Logging
import Synchronization
import Testing

@testable import Telemetry

/// Keeps what a handler writes.
private final class Lines: Sendable {
    let all = Mutex<[String]>([])
    func append(_ line: String) { self.all.withLock { $0.append(line) } }
    var written: [String] { self.all.withLock { $0 } }
}

@Suite("JSON log lines")
struct JSONLogTests {
    private let lines = Lines()

    private func logger() -> Logger {
        let lines = self.lines
        return Logger(label: "test") { label in
            JSONLogHandler(
                label: label, level: .info, counter: nil,
                now: { UnixTime(seconds: 1_795_464_900, microseconds: 250) }, output: { lines.append($0) })
        }
    }

    private func only() throws -> String {
        let lines = self.lines.written
        #expect(lines.count == 1)
        return try #require(lines.first)
    }

    @Test("Keys stand in a fixed order, the time is RFC 3339 in UTC, and numbers stay numbers")
    func shape() throws {
        var logger = self.logger()
        logger[metadataKey: "node"] = "edge-1"
        logger.info("sent", metadata: ["duration_ms": .stringConvertible(38), "event": "delivery"])
        let line = try self.only()
        #expect(
            line == #"{"ts":"2026-11-23T20:15:00.000250Z","level":"info","msg":"sent","logger":"test","#
                + #""duration_ms":38,"event":"delivery","node":"edge-1"}"#)
    }

    @Test(
        "Control characters of a peer can neither begin a line nor steer a terminal (hostile-input 10, 24)",
        arguments: ["\n{\"forged\":1}", "\u{1B}[2J", "\u{0}", "\u{7F}\u{9B}", "\u{2028}", "\"\\"])
    func escapes(_ text: String) throws {
        self.logger().info("\(text)", metadata: ["reply": .string(text)])
        let line = try self.only()
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) })
        #expect(!line.unicodeScalars.contains("\u{2028}"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["msg"] as? String == text && object["reply"] as? String == text)
    }

    @Test("Metadata cannot replace ts, level or msg, and a long value is cut")
    func bounds() throws {
        self.logger().info("m", metadata: ["msg": "forged", "reply": .string(String(repeating: "x", count: 100_000))])
        let line = try self.only()
        #expect(!line.contains("forged") && line.utf8.count < 9000)
    }

    @Test("Lines below the level are not written")
    func level() {
        self.logger().debug("no")
        #expect(self.lines.written.isEmpty)
    }
}
