import Foundation
import Logging
import Testing

@testable import Telemetry

/// The log of a node: a pipe whose reader does what a test says.
private struct LogPipe {
    let pipe = Pipe()
    let dropped = MetricsRegistry().counter("x_total", "Things.", labels: NoLabels.allCases)
    let writer: LogWriter

    init(limits: LogWriter.Limits = LogWriter.Limits()) {
        self.writer = LogWriter(
            to: self.pipe.fileHandleForWriting.fileDescriptor, label: "relayd", limits: limits, dropped: self.dropped,
            now: { UnixTime(seconds: 1_795_464_900, microseconds: 250) })
    }

    func logger() -> Logger {
        let writer = self.writer
        return Logger(label: "test") { label in
            JSONLogHandler(label: label, level: .info, counter: nil, now: UnixTime.now) { writer.write($0) }
        }
    }

    /// Reads the log to its end, on a thread of its own.
    func text() async throws -> String {
        let (reading, writing, writer) = (pipe.fileHandleForReading, pipe.fileHandleForWriting, self.writer)
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                Thread.detachNewThread {
                    writer.close()
                    writer.flush(within: .seconds(30))
                    try? writing.close()
                }
                continuation.resume(
                    with: Result { String(decoding: try reading.readToEnd() ?? Data(), as: UTF8.self) })
            }
        }
    }
}

@Suite("The log's writer", .timeLimit(.minutes(1)))
struct LogWriterTests {
    @Test("A reader that stops delays nobody; what is beyond the limit is dropped, counted and told (field A7)")
    func stoppedReader() async throws {
        let log = LogPipe(limits: LogWriter.Limits(lines: 2000, bytes: 1 << 20))
        let logger = log.logger()
        let started = ContinuousClock.now
        // Many times what the pipe and the queue hold.
        let (count, filler) = (20_000, String(repeating: "x", count: 100))
        for index in 0..<count {
            logger.info("line", metadata: ["filler": "\(filler)", "index": .stringConvertible(index)])
        }
        #expect(ContinuousClock.now - started < .seconds(20))
        #expect(!log.writer.flush(within: .milliseconds(100)))
        let dropped = log.dropped[NoLabels()].value
        #expect(dropped > UInt64(count - 6000) && dropped <= UInt64(count - 2000))

        let lines = try await log.text().split(separator: "\n")
        let (notices, kept) = (lines.filter { $0.contains("\"dropped\":") }, lines.filter { $0.contains("\"index\":") })
        #expect(notices.count == 1 && kept.count == count - Int(dropped) && lines.count == kept.count + 1)
        #expect(notices.first?.hasSuffix("\"dropped\":\(dropped)}") == true)
        #expect(notices.first?.contains("\"level\":\"warning\"") == true)
        // Those that were kept are the first, whole and in order.
        for (index, line) in kept.enumerated() { #expect(line.hasSuffix("\"index\":\(index)}")) }
    }

    @Test("The bytes that wait have a limit too (field A7)")
    func bytes() async throws {
        let log = LogPipe(limits: LogWriter.Limits(lines: 1_000_000, bytes: 100_000))
        for _ in 0..<1000 { log.writer.write(String(repeating: "x", count: 999)) }
        // 100 wait, and the pipe has taken 65.
        #expect((800...900).contains(log.dropped[NoLabels()].value))
        _ = try await log.text()
    }

    @Test("A flush waits for all that was logged before, and no longer (field A7)")
    func flush() async throws {
        let log = LogPipe()
        for index in 0..<100 { log.writer.write("\(index)") }
        #expect(log.writer.flush(within: .seconds(30)))
        #expect(try await log.text() == (0..<100).map { "\($0)\n" }.joined())
    }

    @Test("Without a reader lines are dropped and counted, and the process goes on (field A7)")
    func goneReader() async throws {
        let log = LogPipe()
        try log.pipe.fileHandleForReading.close()
        log.writer.write("one")
        log.writer.write("two")
        #expect(log.writer.flush(within: .seconds(30)))
        #expect(log.dropped[NoLabels()].value == 2)
        log.writer.close()
    }
}
