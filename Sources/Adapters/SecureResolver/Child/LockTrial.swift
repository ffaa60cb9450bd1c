import CSeccomp
import CUnbound
import Glibc

/// Locks this process in as a resolver is, and then tries to get out: `relayd resolver-lock ATTEMPT`.
///
/// Its exit code is 0 if that succeeds, and 1 if the system refuses it; a signal ends it otherwise.
public enum LockTrial: String, CaseIterable, Sendable {
    case open, write, fork, exec, trace, unixSocket, thread, code, memory, descriptors

    /// Tries, and ends the process.
    public func run() -> Never {
        ChildSandbox.prepare()
        do throws(ChildSandbox.Refusal) {
            try ChildSandbox.lockIn(.init(memory: 64 << 20, descriptors: 16, isLockedIn: true))
        } catch {
            // Neither of the two answers, and no signal.
            exit(EX_UNAVAILABLE)
        }
        exit(self.succeeds ? 0 : 1)
    }

    private var succeeds: Bool {
        switch self {
        case .open: return unsafe Glibc.open("/etc/passwd", O_RDONLY) >= 0
        case .write: return unsafe Glibc.open("/tmp/resolver-lock", O_WRONLY | O_CREAT, 0o600) >= 0
        case .fork: return relay_fork() >= 0
        case .exec:
            var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
            // The array ends with a null, as it must.
            return unsafe execve("/bin/true", &arguments, &arguments) == 0
        case .trace: return relay_trace_me() == 0
        case .unixSocket: return socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) >= 0
        case .thread: return relay_start_thread() == 0
        case .code:
            return unsafe mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
        case .memory:
            return unsafe mmap(nil, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
        case .descriptors: return (0..<32).allSatisfy { _ in eventfd(0, 0) >= 0 }
        }
    }
}
