import Glibc
public import MailModel

extension MonotonicInstant {
    /// The moment by CLOCK_BOOTTIME, on which leases are reckoned.
    public static var now: MonotonicInstant {
        var time = timespec()
        // The kernel writes the structure, which lives on the stack for the whole call.
        _ = unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return MonotonicInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
