import Foundation

/// A view of the file system that only some children have, made by `unshare --mount`.
public enum MountNamespace {
    /// Whether this process may give a child such a view.
    public static var isAllowed: Bool {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        guard let digits = line?.split(whereSeparator: \.isWhitespace).last,
            let capabilities = UInt64(digits, radix: 16)
        else { return false }
        // CAP_SYS_ADMIN is number 21 of capabilities(7).
        return capabilities & (1 << 21) != 0
    }
}
