package import MailModel
package import NIOCore
import Synchronization

/// The open channels of one kind, so that a drain can reach them.
package final class ChannelRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }

    private let time: any NodeClock
    private let state = Mutex(State())

    /// None is open.
    package init(time: any NodeClock) { self.time = time }

    /// Keeps a channel until it closes. After `closeAll` it is closed at once.
    package func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isClosed = self.state.withLock { state in
            state.channels[id] = channel
            return state.isClosed
        }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.channels[id] = nil } }
        if isClosed { channel.close(promise: nil) }
    }

    /// The channels open now.
    package var all: [any Channel] { self.state.withLock { Array($0.channels.values) } }

    /// Waits until none is left; `false` when the time is up first.
    package func drained(within limit: Duration) async -> Bool {
        let deadline = self.time.now + limit
        while !self.all.isEmpty {
            guard self.time.now < deadline, !Task.isCancelled else { return false }
            try? await self.time.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// Closes what is open, and whatever opens from now on.
    package func closeAll() {
        let open = self.state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in open { channel.close(promise: nil) }
    }
}
