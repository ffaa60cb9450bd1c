import Glibc

/// Who a folder belongs to, when a command of root works in it.
public enum FolderOwner {
    /// Why the owner cannot be acted for.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Has a process of root act as the owner of a folder from now on, so that files there are the owner's. Another process
    /// stays as it is. It throws if there is no folder.
    public static func assume(_ path: String) throws(Fault) {
        var status = stat()
        // The path is copied by the kernel, which fills the structure on the stack.
        guard unsafe stat(path, &status) == 0 else { throw Fault(description: "\(path): \(systemWords(errno: errno))") }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Fault(description: "\(path) is no folder") }
        guard geteuid() == 0, status.st_uid != 0 else { return }
        // Groups first: the owner may not change them.
        guard setgroups(0, nil) == 0, setgid(status.st_gid) == 0, setuid(status.st_uid) == 0 else {
            throw Fault(description: "cannot act as the owner of \(path): \(systemWords(errno: errno))")
        }
    }
}
