import Dispatch
import Foundation
import Glibc
import Logging
import Synchronization

/// Writes log lines on a thread of its own, so that whoever logs never waits for whoever reads the log.
///
/// Lines wait in a queue with two limits. While it is full, further lines are dropped and counted; once writing works again, a
/// line says how many. A line that cannot be written at all, because the reader has gone, is dropped likewise.
public final class LogWriter: Sendable {
    /// What may wait for the reader of the log. docs/limits.md has it.
    struct Limits {
        var lines = 16_384
        var bytes = 4 << 20
    }

    /// What goes out in one call, in bytes, unless one line is longer.
    private static let writeSize = 64 << 10
    /// How long lines are gathered after the first has woken the thread, in seconds.
    private static let gathering = 0.002

    private struct State {
        /// Those that the thread has not taken yet.
        var waiting: [String] = []
        /// Not written yet, those that the thread has taken included.
        var lines = 0
        var bytes = 0
        /// Dropped and not told yet.
        var dropped = 0
        var isThreadAsleep = false
        var isClosed = false
        var flushes: [DispatchSemaphore] = []

        mutating func wake() -> Bool {
            defer { self.isThreadAsleep = false }
            return self.isThreadAsleep
        }
    }

    private enum Work {
        case lines([String])
        case dropped(Int)
        case wait
        case end
    }

    private let descriptor: Int32
    private let label: String
    private let limits: Limits
    private let droppedLines: Counter<NoLabels>?
    private let now: @Sendable () -> UnixTime
    private let state = Mutex(State())
    private let wakeup = DispatchSemaphore(value: 0)

    /// A writer to standard error, for as long as the process lives.
    ///
    /// - Parameter label: the logger of its own lines.
    public convenience init(label: String, metrics: LogMetrics) {
        self.init(
            to: STDERR_FILENO, label: label, limits: Limits(), dropped: metrics.dropped, now: UnixTime.now)
    }

    /// - Parameter descriptor: stays the caller's, and is open until `close` and a flush have returned.
    init(
        to descriptor: Int32, label: String, limits: Limits, dropped: Counter<NoLabels>?,
        now: @escaping @Sendable () -> UnixTime
    ) {
        self.descriptor = descriptor
        self.label = label
        self.limits = limits
        self.droppedLines = dropped
        self.now = now
        // A write to a pipe without a reader is then an error, and not the end of the process.
        _ = Glibc.signal(SIGPIPE, SIG_IGN)
        let thread = Thread { self.run() }
        thread.name = "log"
        thread.start()
    }

    /// Has a line written, or drops it. Never waits.
    public func write(_ line: String) {
        let isWakeupDue = self.state.withLock { state in
            let size = line.utf8.count + 1
            guard state.lines < self.limits.lines, state.bytes + size <= self.limits.bytes else {
                state.dropped += 1
                self.droppedLines?.increment()
                return false
            }
            state.waiting.append(line)
            state.lines += 1
            state.bytes += size
            return state.wake()
        }
        if isWakeupDue { self.wakeup.signal() }
    }

    /// Waits until everything that was logged before is written, `limit` at most; says whether it is. It blocks its thread: it is
    /// for the end of the process.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        let flushed = DispatchSemaphore(value: 0)
        let isWakeupDue = self.state.withLock { state in
            state.flushes.append(flushed)
            return state.wake()
        }
        if isWakeupDue { self.wakeup.signal() }
        let nanoseconds = Int(limit / .nanoseconds(1))
        return flushed.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
    }

    /// Ends the thread once everything is written.
    func close() {
        let isWakeupDue = self.state.withLock { state in
            state.isClosed = true
            return state.wake()
        }
        if isWakeupDue { self.wakeup.signal() }
    }

    // MARK: The thread

    private func run() {
        while true {
            switch self.nextWork() {
            case .lines(let lines): self.put(lines)
            case .dropped(let count): _ = self.writeOut(Array((self.line(dropped: count) + "\n").utf8))
            case .wait:
                self.wakeup.wait()
                // Others log soon after: their lines go out together, and wake nobody.
                Thread.sleep(forTimeInterval: Self.gathering)
            case .end: return
            }
        }
    }

    private func nextWork() -> Work {
        self.state.withLock { state in
            // Told first, since lines may go on coming as fast as they can be written.
            if state.dropped > 0 {
                defer { state.dropped = 0 }
                return .dropped(state.dropped)
            }
            if !state.waiting.isEmpty {
                defer { state.waiting = [] }
                return .lines(state.waiting)
            }
            for flush in state.flushes { flush.signal() }
            state.flushes = []
            if state.isClosed { return .end }
            state.isThreadAsleep = true
            return .wait
        }
    }

    private func put(_ lines: [String]) {
        var rest = lines[...]
        while !rest.isEmpty {
            var bytes: [UInt8] = []
            var count = 0
            while let line = rest.first, bytes.isEmpty || bytes.count + line.utf8.count < Self.writeSize {
                bytes += line.utf8
                bytes.append(UInt8(ascii: "\n"))
                count += 1
                rest.removeFirst()
            }
            if !self.writeOut(bytes) { self.droppedLines?.increment(by: count) }
            self.state.withLock { state in
                state.lines -= count
                state.bytes -= bytes.count
            }
        }
    }

    private func line(dropped count: Int) -> String {
        var line = JSONLine()
        line.add("ts", self.now().rfc3339)
        line.add("level", "warning")
        line.add("msg", "log lines were dropped, since the log was not read")
        line.add("logger", self.label)
        line.add("dropped", .stringConvertible(count))
        return line.finished()
    }

    /// Writes all of it, however many calls that takes. There is nowhere left to say why it fails.
    private func writeOut(_ bytes: [UInt8]) -> Bool {
        // The pointer is valid during the call, and the sum of what was written never passes the array's count.
        return unsafe bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = unsafe Glibc.write(
                    self.descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                if count >= 0 {
                    offset += count
                } else if errno == EAGAIN {
                    self.waitUntilWritable()
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }

    /// For a descriptor that another process has made non-blocking.
    private func waitUntilWritable() {
        var entry = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        // The call reads and writes one structure that we own.
        _ = unsafe poll(&entry, 1, -1)
    }
}
