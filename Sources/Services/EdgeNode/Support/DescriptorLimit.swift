import Glibc

/// How many file descriptors this process may have open.
enum DescriptorLimit {
    /// Raises the limit to the highest that the system allows this process, and gives it.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            // Should it fail, the limit is what it was.
            _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }
}

extension RelaydConfiguration {
    /// Descriptors beside those that settings count: listeners, event loops, files, the resolver's sockets, HTTP.
    private static let otherDescriptors = 512

    /// The most descriptors that a node with these settings opens.
    var descriptorsNeeded: Int {
        self.smtp.maxConnections + ConnectionLimiter.Limits.refusals + self.delivery.maxConnections
            + 2 * self.database.poolSize + Self.otherDescriptors
    }
}
