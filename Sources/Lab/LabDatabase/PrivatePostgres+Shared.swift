import Foundation
import Synchronization

extension PrivatePostgres {
    /// One server for all tests of this process, started when it is first asked for and ended with the process.
    ///
    /// Each test makes a database of its own on it. A test that stops or restarts a server starts its own.
    public static func shared() async throws -> PrivatePostgres {
        try await SharedServer.task.value
    }
}

private enum SharedServer {
    /// A static is made once, so every caller waits for the same start.
    static let task = Task<PrivatePostgres, any Error> {
        let server = try await PrivatePostgres.start(durability: .relaxed)
        Self.started.withLock { $0 = server }
        // Nothing else runs at the end of a test process, and a folder in /tmp must not outlive it.
        atexit { SharedServer.endAtExit() }
        return server
    }

    private static let started = Mutex<PrivatePostgres?>(nil)

    private static func endAtExit() {
        guard let server = Self.started.withLock({ $0 }) else { return }
        if let process = server.processIdentifier {
            kill(process, SIGQUIT)
            // The server removes files of its own while it ends; a second is ample for that.
            for _ in 0..<100 where kill(process, 0) == 0 && !Self.isZombie(process) { usleep(10_000) }
        }
        try? FileManager.default.removeItem(at: server.directory)
    }

    private static func isZombie(_ process: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return status.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }
}
