import Glibc

/// The standard, unprefixed `process_*` metrics, read from `/proc/self` at each scrape.
public enum ProcessMetrics {
    /// Adds them to the page.
    public static func register(in registry: MetricsRegistry) {
        registry.observed(
            unprefixed: "process_cpu_seconds_total", .counter, "User and system CPU time spent, in seconds."
        ) {
            Self.statistics().map { Double($0.cpuTicks) / Self.ticksPerSecond }
        }
        registry.observed(unprefixed: "process_resident_memory_bytes", .gauge, "Resident memory size in bytes.") {
            Self.statistics().map { Double($0.residentPages * sysconf(Int32(_SC_PAGESIZE))) }
        }
        registry.observed(unprefixed: "process_virtual_memory_bytes", .gauge, "Virtual memory size in bytes.") {
            Self.statistics().map { Double($0.virtualBytes) }
        }
        registry.observed(
            unprefixed: "process_start_time_seconds", .gauge, "Start time of the process, in seconds since 1970 UTC."
        ) {
            guard let statistics = Self.statistics(), let boot = Self.bootTime() else { return nil }
            return boot + Double(statistics.startTicks) / Self.ticksPerSecond
        }
        registry.observed(unprefixed: "process_threads", .gauge, "Number of operating system threads.") {
            Self.statistics().map { Double($0.threads) }
        }
        registry.observed(unprefixed: "process_open_fds", .gauge, "Number of open file descriptors.") {
            Self.openDescriptors()
        }
        registry.observed(unprefixed: "process_max_fds", .gauge, "Most file descriptors that may be open.") {
            var limit = rlimit()
            // The call writes one structure that we own.
            guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
            return Double(limit.rlim_cur)
        }
    }

    private struct Statistics {
        let cpuTicks, threads, startTicks, virtualBytes, residentPages: Int
    }

    private static let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))

    /// Reads proc(5)'s `stat`; the fields are counted from behind the command, which may itself hold spaces.
    private static func statistics() -> Statistics? {
        guard let text = Self.contents(of: "/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[end...].split(separator: " ").dropFirst().map { Int($0) ?? 0 }
        guard fields.count > 21 else { return nil }
        return Statistics(
            cpuTicks: fields[11] + fields[12], threads: fields[17], startTicks: fields[19], virtualBytes: fields[20],
            residentPages: fields[21])
    }

    private static func bootTime() -> Double? {
        let line = Self.contents(of: "/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst("btime ".count)) }
    }

    private static func openDescriptors() -> Double? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // `.`, `..` and the descriptor of this very listing do not count.
        return Double(count - 3)
    }

    private static func contents(of path: String) -> String? {
        // The path is a string of ours that outlives the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            // The kernel writes at most the buffer's own count of bytes.
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
