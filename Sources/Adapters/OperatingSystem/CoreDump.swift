import CMalloc
import Glibc

/// Images of this process's memory that the system writes when it crashes.
public enum CoreDump {
    /// From now on there is none: neither a file, nor what is piped to a program. No other process of this user can read the
    /// memory either. A program that this process starts is not forbidden to.
    public static func forbid() {
        // The kernel dumps no process that is not dumpable, whatever its limit.
        _ = relay_forbid_core_dump()
        var limit = rlimit()
        // The call reads the structure, and keeps nothing of it. To lower a limit is always allowed.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }
}
