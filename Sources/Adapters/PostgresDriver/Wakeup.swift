import CPostgres

/// Wakes a thread that waits in `poll`.
final class Wakeup: Sendable {
    let descriptor: Int32

    init() {
        self.descriptor = relay_eventfd()
        precondition(self.descriptor >= 0, "eventfd failed: out of file descriptors")
    }

    deinit { close(self.descriptor) }

    /// Makes the descriptor readable, from any thread.
    func signal() {
        var one: UInt64 = 1
        // `one` lives on the stack for the whole call, and the kernel copies its eight bytes.
        _ = unsafe write(self.descriptor, &one, 8)
    }

    /// Waits until `signal`, or for so long; then makes the descriptor unreadable again.
    func wait(_ limit: Duration?) {
        var entry = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        // `entry` lives on the stack for the whole call.
        _ = unsafe poll(&entry, 1, limit.map(pollMilliseconds) ?? -1)
        self.drain()
    }

    func drain() {
        var count: UInt64 = 0
        // The kernel writes eight bytes into `count`, or nothing.
        _ = unsafe read(self.descriptor, &count, 8)
    }
}

/// A duration as `poll` wants it, rounded up so that a deadline has passed when `poll` returns.
func pollMilliseconds(_ duration: Duration) -> Int32 {
    guard duration > .zero else { return 0 }
    let (seconds, attoseconds) = duration.components
    guard seconds < 2_000_000 else { return 2_000_000_000 }
    return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
}
