import Glibc

/// How many file descriptors this process may have open.
public enum FileDescriptorLimit {
    /// Raises the limit to the highest that the system allows this process, and gives it.
    public static func raise() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        // The calls fill and read the structure, and keep nothing of it.
        guard unsafe getrlimit(resource, &limit) == 0 else { return .max }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            // Should it fail, the limit is what it was.
            _ = unsafe setrlimit(resource, &limit)
            _ = unsafe getrlimit(resource, &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }
}
