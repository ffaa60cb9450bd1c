import Foundation
import LabSupport
import Synchronization
import UnixSignals

/// Whether the user has asked for the end with Ctrl-C, or somebody else with SIGTERM.
///
/// The first signal is a request, so that everything is ended and removed in order; the second ends the program at once.
final class Interruption: Sendable {
    private struct State {
        var isRequested = false
        var waiter: CheckedContinuation<Void, Never>?
        var folder: LabFolder?
    }
    private let state = Mutex(State())

    /// Runs `body`; signals count from now until it ends.
    static func whileWatching(_ body: (Interruption) async throws -> Bool) async throws -> Bool {
        let interruption = Interruption()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in signals { interruption.request() }
            }
            defer { group.cancelAll() }
            return try await body(interruption)
        }
    }

    /// Whether it is time to end.
    var isRequested: Bool { self.state.withLock { $0.isRequested } }

    /// Returns when it is time to end.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isRequested = self.state.withLock { state in
                if !state.isRequested { state.waiter = continuation }
                return state.isRequested
            }
            if isRequested { continuation.resume() }
        }
    }

    /// Removes this folder also when there is no time for order.
    func remove(_ folder: LabFolder) { self.state.withLock { $0.folder = folder } }

    private func request() {
        let (isSecond, waiter, folder) = self.state.withLock { state in
            defer {
                state.isRequested = true
                state.waiter = nil
            }
            return (state.isRequested, state.waiter, state.folder)
        }
        waiter?.resume()
        guard isSecond else { return }
        if let folder, !folder.isKept { try? FileManager.default.removeItem(at: folder.url) }
        // The children end with this process.
        Foundation.exit(130)
    }
}
