import CSeccomp
import Glibc

/// What a child is made of: the program, what it may use, and the files that it reads, which it gets as descriptors.
struct ResolverProgram: Equatable, Sendable {
    var executable: String
    var arguments: [String]
    var allowance: ResolverAllowance
    var configuration: UnboundConfiguration
}

/// One child: its process, the socket to it, and what it writes to standard error. For one thread.
@safe final class ResolverProcess {
    /// The most messages that wait for a child which does not read; a question and its withdrawal are two.
    private static let longestOutbox = 65_536

    let socket: ResolverSocket
    /// The end of its standard error that is read; −1 once it is closed.
    private(set) var errors: Int32
    var log: ChildLog
    let process: pid_t
    private let clock: clockid_t?
    private var outbox: [[UInt8]] = []

    /// Starts a child and tells it what it may use.
    ///
    /// - Parameters:
    ///   - configuration: the program's, as it is to be now.
    init(
        _ program: ResolverProgram, configuration: String, at now: ContinuousClock.Instant
    ) throws(SecureResolverError) {
        let child = try Self.spawn(program, configuration)
        (self.process, self.socket, self.errors) = (child.process, child.socket, child.errors)
        self.log = ChildLog(at: now)
        var clock = clockid_t()
        // The variable lives through the call.
        self.clock = unsafe clock_getcpuclockid(child.process, &clock) == 0 ? clock : nil
        self.send(.start(program.allowance))
    }

    /// Sends a message, now or when the child has read what it was sent before; `false` where it never will.
    @discardableResult
    func send(_ request: ResolverRequest) -> Bool {
        self.outbox.append(ResolverMessage.bytes(request))
        return self.flush()
    }

    /// Sends what waits; `false` where nobody reads it.
    func flush() -> Bool {
        var sent = 0
        defer { self.outbox.removeFirst(sent) }
        for message in self.outbox {
            switch self.socket.send(message) {
            case .sent: sent += 1
            case .full: return self.outbox.count <= Self.longestOutbox
            case .broken: return false
            }
        }
        return true
    }

    /// Whether messages wait for the child to read.
    var hasMore: Bool { !self.outbox.isEmpty }

    /// The lines that it has written.
    func readErrors(at now: ContinuousClock.Instant) -> [String] {
        guard self.errors >= 0 else { return [] }
        var count = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
            count = unsafe read(self.errors, buffer.baseAddress, buffer.count)
            filled = max(0, count)
        }
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            Glibc.close(self.errors)
            self.errors = -1
        }
        return self.log.read(bytes, at: now)
    }

    /// What it has used; as little as nothing where the system does not say.
    var usage: ResolverSupervision.Usage {
        var time = timespec()
        if let clock { _ = unsafe clock_gettime(clock, &time) }
        return .init(
            processorTime: .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec)), memory: self.memory)
    }

    /// Its resident set in bytes: the second number of statm, in pages (proc(5)).
    private var memory: UInt64 {
        let file = unsafe open("/proc/\(self.process)/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { Glibc.close(file) }
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
            count = max(0, unsafe read(file, buffer.baseAddress, buffer.count))
        }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return words.count > 1 ? (UInt64(words[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE))) : 0
    }

    /// How it ended, where it has: at once after its socket broke, or within a moment.
    func death() -> ResolverDeath? {
        var status: Int32 = 0
        // Its socket breaks a moment before it can be waited for.
        for _ in 0..<50 {
            let found = unsafe waitpid(self.process, &status, WNOHANG)
            if found == self.process { return Self.death(status) }
            guard found == 0 || errno == EINTR else { return .exit(0) }
            usleep(1_000)
        }
        return nil
    }

    /// Kills it, reads what it still said, and forgets it.
    func end() {
        kill(self.process, SIGKILL)
        var status: Int32 = 0
        while unsafe waitpid(self.process, &status, 0) < 0, errno == EINTR {}
        self.socket.close()
        if self.errors >= 0 { Glibc.close(self.errors) }
    }

    private static func death(_ status: Int32) -> ResolverDeath {
        status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
    }

    // MARK: Starting

    private typealias Child = (process: pid_t, socket: ResolverSocket, errors: Int32)

    private static func spawn(
        _ program: ResolverProgram, _ configuration: String
    ) throws(SecureResolverError) -> Child {
        var opened: [Int32] = []
        defer { for descriptor in opened { Glibc.close(descriptor) } }
        guard let (ours, theirs) = ResolverSocket.pair() else { throw Self.failure("a socket") }
        opened.append(theirs.descriptor)
        var ends: [Int32] = [-1, -1]
        // Neither side waits for the other: a child is never held up by its log, and what does not fit is lost.
        guard unsafe relay_pipe(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else {
            ours.close()
            throw Self.failure("a pipe")
        }
        opened.append(ends[1])
        do throws(SecureResolverError) {
            let files = program.configuration
            for (name, text) in [
                ("configuration", configuration), ("anchors", files.anchorText), ("hints", files.hintText),
            ] {
                opened.append(try Self.memoryFile(name, text))
            }
            let process = try Self.run(program, theirs.descriptor, opened[2...], errors: ends[1])
            return (process, ours, ends[0])
        } catch {
            ours.close()
            Glibc.close(ends[0])
            throw error
        }
    }

    /// A file that is in no folder, with this content.
    private static func memoryFile(_ name: String, _ text: String) throws(SecureResolverError) -> Int32 {
        let file = unsafe relay_memory_file("resolver-\(name)")
        guard file >= 0 else { throw Self.failure("a file in memory") }
        var left = Array(text.utf8)[...]
        while !left.isEmpty {
            let count = unsafe left.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
            guard count > 0 else {
                Glibc.close(file)
                throw Self.failure("a file in memory")
            }
            left = left.dropFirst(count)
        }
        return file
    }

    private static func run(
        _ program: ResolverProgram, _ socket: Int32, _ files: ArraySlice<Int32>, errors: Int32
    ) throws(SecureResolverError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        var copies: [Int32] = []
        defer { for copy in copies { Glibc.close(copy) } }
        let places = [(socket, ResolverChild.Descriptors.node)] + zip(files, ResolverChild.Descriptors.configuration...)
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        for (descriptor, place) in places {
            // From above all places, so that none is overwritten before it was copied.
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, ResolverChild.Descriptors.next)
            guard copy >= 0 else { throw Self.failure("a descriptor") }
            copies.append(copy)
            unsafe posix_spawn_file_actions_adddup2(&actions, copy, place)
        }
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, ResolverChild.Descriptors.next)
        // A group of its own: a terminal's interrupt is not for it. No signal is blocked or ignored.
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var process = pid_t()
        let arguments = CStrings([program.executable] + program.arguments)
        let environment = CStrings(Self.environment)
        let status = unsafe posix_spawn(
            &process, program.executable, &actions, &attributes, arguments.pointers, environment.pointers)
        guard status == 0 else { throw Self.failure("\(program.executable)", status) }
        return process
    }

    /// Nothing but what the system's loader needs to find this program's libraries, and a sanitizer to know what it reports.
    private static var environment: [String] {
        var found: [String] = []
        guard var next = unsafe relay_environment() else { return [] }
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            let isForSanitizer = ["ASAN_OPTIONS=", "TSAN_OPTIONS="].contains { text.hasPrefix($0) }
            if text.hasPrefix("LD_") || (ChildSandbox.isSanitized && isForSanitizer) { found.append(text) }
            unsafe next += 1
        }
        return found
    }

    private static func failure(_ what: String, _ code: Int32 = errno) -> SecureResolverError {
        .init(
            .libraryFailure, "the resolver's process cannot be started: \(what)",
            cause: unsafe String(cString: strerror(code)))
    }
}

/// Texts as C programs get their arguments; they live as long as this.
@safe private final class CStrings {
    // Each was made by `strdup`, and the last is null.
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) { unsafe self.pointers = texts.map { unsafe strdup($0) } + [nil] }

    deinit { unsafe self.pointers.forEach { unsafe free($0) } }
}
