import CSeccomp
import Glibc

/// What keeps whoever takes over a resolver's process from doing anything but asking the DNS.
///
/// The process has no file, no key and no descriptor of the node's. From `lockIn` on it opens none, starts nothing, and
/// has no more memory and sockets than it was allowed. Any other system call ends it.
enum ChildSandbox {
    /// Why a process could not be locked in.
    struct Refusal: Error {
        let reason: String

        init(_ step: String, _ code: Int32 = errno) {
            // The library's text lives until this thread asks for another.
            self.reason = "\(step): \(unsafe String(cString: strerror(code)))"
        }
    }

    /// Debian's `nobody` and `nogroup`: they own no file.
    private static let nobody: UInt32 = 65_534

    /// Whether this program was built with a sanitizer, as `ops/sanitize` says to the compiler. Its runtime maps terabytes, starts
    /// threads and opens files, all of which the lock forbids, and it has handlers of its own for crashes.
    static var isSanitized: Bool {
        #if SANITIZED
            true
        #else
            false
        #endif
    }

    /// Before anything is read: no dump, no debugger, no life without the node.
    static func prepare() {
        // A resolver ends with its node, and not by what is meant for that: a terminal's interrupt, a service's stop.
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE] { _ = signal(number, SIG_IGN) }
        // Whoever crashes ends by that signal. Swift's own handlers would start a program to tell where it was, and the
        // lock would end the process for that.
        if !Self.isSanitized {
            for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP] { _ = signal(number, SIG_DFL) }
        }
        _ = relay_set_limit(relay_core, 0)
        _ = relay_set_dumpable(0)
        _ = relay_set_parent_death_signal(SIGKILL)
    }

    /// Gives up everything. Threads that there are by now are locked in too, and there will be no others.
    static func lockIn(_ allowance: ResolverAllowance) throws(Refusal) {
        try Self.limit(allowance)
        try Self.leaveRoot()
        // A change of user takes both back.
        guard relay_set_dumpable(0) == 0, relay_set_parent_death_signal(SIGKILL) == 0 else {
            throw Refusal("it stays open to debuggers")
        }
        guard relay_set_no_new_privileges() == 0 else { throw Refusal("no_new_privs") }
        try Self.filter()
    }

    private static func limit(_ allowance: ResolverAllowance) throws(Refusal) {
        let limits: [(String, relay_resource, UInt64)] = [
            ("memory", relay_data, allowance.memory),
            ("descriptors", relay_descriptors, UInt64(allowance.descriptors)),
            ("files", relay_file_size, 0),
            // A limit on what the user may start: all threads that are needed run by now.
            ("processes", relay_processes, 0),
        ]
        for (name, resource, value) in limits {
            guard relay_set_limit(resource, value) == 0 else { throw Refusal("limit of \(name)") }
        }
    }

    private static func leaveRoot() throws(Refusal) {
        guard geteuid() == 0 else { return }
        guard setgroups(0, nil) == 0, setgid(Self.nobody) == 0, setuid(Self.nobody) == 0 else {
            throw Refusal("root cannot become nobody")
        }
    }

    // MARK: System calls

    /// What a resolver lives by: its sockets, its clock, its memory, its threads.
    private static let allowed = [
        "read", "readv", "write", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "connect", "bind",
        "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "close", "fcntl", "ioctl",
        "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
        "epoll_pwait2", "eventfd2", "timerfd_create", "timerfd_settime",
        "clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep", "clock_nanosleep", "getrandom",
        "munmap", "mremap", "madvise", "brk", "sysinfo", "getrusage",
        "futex", "rseq", "set_robust_list", "sched_yield", "sched_getaffinity", "membarrier",
        "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "tgkill",
        "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "fstat", "lseek", "exit", "exit_group",
    ]

    /// What the C library tries and can do without: configuration of memory, time zones and names.
    private static let denied = [
        "open", "openat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
        "readlinkat", "uname",
    ]

    private static func filter() throws(Refusal) {
        guard let filter = unsafe seccomp_init(relay_seccomp_kill()) else { throw Refusal("seccomp") }
        defer { unsafe seccomp_release(filter) }
        // Every thread of the process, libunbound's among them.
        try Self.check(unsafe seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1), "seccomp on all threads")
        for name in Self.allowed { try unsafe Self.rule(filter, relay_seccomp_allow(), name) }
        for name in Self.denied { try unsafe Self.rule(filter, relay_seccomp_errno(UInt16(EACCES)), name) }
        for family in [AF_INET, AF_INET6] {
            try unsafe Self.rule(filter, relay_seccomp_allow(), "socket", 0, SCMP_CMP_EQ, UInt64(family))
        }
        // Memory is written to or run, and nothing new is run.
        for name in ["mmap", "mprotect"] {
            try unsafe Self.rule(filter, relay_seccomp_allow(), name, 2, SCMP_CMP_MASKED_EQ, UInt64(PROT_EXEC), 0)
        }
        // What one may use is seen, not changed.
        try unsafe Self.rule(filter, relay_seccomp_allow(), "prlimit64", 2, SCMP_CMP_EQ, 0)
        try Self.check(unsafe seccomp_load(filter), "seccomp")
    }

    private static func rule(
        _ filter: scmp_filter_ctx, _ action: UInt32, _ name: String, _ comparisons: [scmp_arg_cmp] = []
    ) throws(Refusal) {
        let number = unsafe seccomp_syscall_resolve_name(name)
        // A name that this architecture does not have.
        guard number >= 0 else { return }
        // The array has as many places as are read.
        try Self.check(
            unsafe seccomp_rule_add_array(filter, action, number, UInt32(comparisons.count), comparisons), name)
    }

    private static func rule(
        _ filter: scmp_filter_ctx, _ action: UInt32, _ name: String, _ argument: UInt32, _ comparison: scmp_compare,
        _ first: UInt64, _ second: UInt64 = 0
    ) throws(Refusal) {
        let condition = scmp_arg_cmp(arg: argument, op: comparison, datum_a: first, datum_b: second)
        try unsafe Self.rule(filter, action, name, [condition])
    }

    private static func check(_ status: Int32, _ step: String) throws(Refusal) {
        guard status == 0 else { throw Refusal(step, -status) }
    }
}
