import Foundation
import Glibc
import Synchronization

/// A child of this process, started with posix_spawn(3) and waited for on a thread of its own.
///
/// Foundation's `Process` is not used. When it starts a program while this process has some 1,300 descriptors open, it
/// reads past the buffer of readdir(3). It may crash then (swift-corelibs-foundation, pull request 5472).
final class SpawnedProcess: Sendable {
    /// What a child is started with.
    struct Program: Sendable {
        /// The path of the program.
        var path: String
        /// What follows its name.
        var arguments: [String]
        var environment: [String: String]
        /// Where it works; `nil`: where this process does.
        var workingDirectory: String?
        /// Its standard output and error. Its input is /dev/null, and it gets no other descriptor.
        var output: Int32
    }

    /// Its process id.
    let identifier: pid_t
    private let state: State

    /// Starts a child, in a process group of its own, with no signal blocked or ignored; throws the system's error.
    ///
    /// The thread that starts it waits for its end. The kernel sends the parent-death signal when the *thread* that
    /// started a child ends, so no thread of a pool may do it.
    init(_ program: Program) async throws(POSIXError) {
        let state = State()
        let started: Result<pid_t, POSIXError> = await withCheckedContinuation { continuation in
            let thread = Thread {
                let started = Self.spawn(program)
                continuation.resume(returning: started)
                if case .success(let child) = started { state.wait(for: child) }
            }
            thread.name = "lab-child"
            thread.start()
        }
        self.identifier = try started.get()
        self.state = state
    }

    /// Its exit status, 128 and the signal that ended it, or −1 where the system did not keep it; `nil` while it runs.
    var status: Int32? { self.state.status.withLock { $0 } }

    /// Sends a signal, if it still runs.
    func signal(_ number: Int32) {
        // Under the lock it is not waited for, so that its id cannot be another process's.
        self.state.status.withLock { if $0 == nil { kill(self.identifier, number) } }
    }

    private final class State: Sendable {
        let status = Mutex<Int32?>(nil)

        /// Waits for the end of a child, and takes its status under the lock.
        func wait(for child: pid_t) {
            var information = siginfo_t()
            while waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
            self.status.withLock { status in
                var found: Int32 = 0
                var waited = waitpid(child, &found, 0)
                while waited < 0, errno == EINTR { waited = waitpid(child, &found, 0) }
                // Where SIGCHLD is ignored the system keeps no status.
                status = waited != child ? -1 : found & 0x7F == 0 ? found >> 8 & 0xFF : 128 + (found & 0x7F)
            }
        }
    }

    // glibc has these two (2.34 and 2.29), but hides them from a module that does not define _GNU_SOURCE.
    @discardableResult
    private static func addCloseFrom(
        _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: Int32
    ) -> Int32 {
        typealias Call = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        return unsafeBitCast(dlsym(nil, "posix_spawn_file_actions_addclosefrom_np"), to: Call.self)(actions, first)
    }

    @discardableResult
    private static func addChangeDirectory(
        _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ path: UnsafePointer<CChar>
    ) -> Int32 {
        typealias Call =
            @convention(c) (
                UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>
            ) -> Int32
        return unsafeBitCast(dlsym(nil, "posix_spawn_file_actions_addchdir_np"), to: Call.self)(actions, path)
    }

    private static func spawn(_ program: Program) -> Result<pid_t, POSIXError> {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, program.output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, program.output, STDERR_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        Self.addCloseFrom(&actions, STDERR_FILENO + 1)
        if let directory = program.workingDirectory { Self.addChangeDirectory(&actions, directory) }
        // Threads of a pool block most signals, and NIO ignores SIGPIPE; a child would inherit both.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        // A group of its own: some servers end by sending a signal to their whole group.
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        let arguments = ([program.path] + program.arguments).map { strdup($0) }
        let environment = program.environment.map { strdup("\($0)=\($1)") }
        defer { for text in arguments + environment { free(text) } }
        var child = pid_t()
        let code = posix_spawn(&child, program.path, &actions, &attributes, arguments + [nil], environment + [nil])
        return code == 0 ? .success(child) : .failure(POSIXError(POSIXErrorCode(rawValue: code) ?? .EINVAL))
    }
}
