import NIOCore
import Synchronization

/// The open channels of one kind, so that a drain can reach them.
final class ChannelRegistry: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    /// Keeps a channel until it closes.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        self.channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in self.channels.withLock { $0[id] = nil } }
    }

    /// The channels open now.
    var all: [any Channel] { self.channels.withLock { Array($0.values) } }

    /// Waits until none is left; `false` when the time is up first.
    func drained(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !self.all.isEmpty {
            guard ContinuousClock.now < deadline, !Task.isCancelled else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// Closes what is open.
    func closeAll() {
        for channel in self.all { channel.close(promise: nil) }
    }
}
