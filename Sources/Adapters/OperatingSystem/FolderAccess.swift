import Glibc

/// Which folders let others than owner and group pass.
public enum FolderAccess {
    /// Whether others can get as far as a file: each folder above it lets them pass. Links are followed to where the file is.
    ///
    /// A file that they could read is out of their reach below a folder that is closed to them.
    public static func isWithinReachOfOthers(_ path: String) -> Bool {
        // The call makes a string of its own, which is copied and freed here.
        guard let resolved = unsafe realpath(path, nil) else { return true }
        defer { unsafe free(resolved) }
        var folder = unsafe String(cString: resolved)[...]
        while let slash = folder.lastIndex(of: "/") {
            folder = folder[..<slash]
            guard Self.letsOthersPass(folder.isEmpty ? "/" : String(folder)) else { return false }
        }
        return true
    }

    /// A folder that cannot be looked at is not known to be closed.
    private static func letsOthersPass(_ folder: String) -> Bool {
        var status = stat()
        // The path is copied by the kernel, which fills the structure on the stack.
        guard unsafe stat(folder, &status) == 0 else { return true }
        return status.st_mode & S_IXOTH != 0
    }
}
