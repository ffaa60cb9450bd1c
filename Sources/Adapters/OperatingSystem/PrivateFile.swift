import Glibc

/// Files with secrets of this program, such as a key: mode 0600, and replaced as a whole.
public enum PrivateFile {
    /// The steps of a replacement.
    enum Step: CaseIterable, Sendable { case opened, written, synchronised, renamed, folderSynchronised }

    /// Why a file was not replaced.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Replaces what a file holds, or makes the file. Whatever happens, a reader finds all of the old content or all of the new
    /// one; after this returns, a crash of the machine does not bring the old one back.
    public static func replace(_ path: String, with bytes: [UInt8]) throws(Fault) {
        try Self.replace(path, with: bytes) { _ throws(Fault) in }
    }

    /// - Parameter after: is told of each step; what it throws ends the work there, as a kill would.
    static func replace(
        _ path: String, with bytes: [UInt8], after: (Step) throws(Fault) -> Void
    ) throws(Fault) {
        let draft = path + ".new"
        // One that a kill left is of no use.
        unsafe unlink(draft)
        // Paths are copied by the kernel, here and below.
        let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.fault("made", draft) }
        defer { close(descriptor) }
        // The mask of the process may have taken bits away.
        guard fchmod(descriptor, 0o600) == 0 else { throw Self.fault("made", draft) }
        try after(.opened)
        try Self.write(bytes, to: descriptor, draft)
        try after(.written)
        guard fsync(descriptor) == 0 else { throw Self.fault("written", draft) }
        try after(.synchronised)
        guard unsafe rename(draft, path) == 0 else { throw Self.fault("replaced", path) }
        try after(.renamed)
        try Self.synchronise(folderOf: path)
        try after(.folderSynchronised)
    }

    /// Removes a file; one that is not there is as good.
    public static func remove(_ path: String) throws(Fault) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw Self.fault("removed", path) }
        try Self.synchronise(folderOf: path)
    }

    /// Whether there is something at a path, or it cannot be told.
    public static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0 || errno != ENOENT
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(Fault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // The call reads no more than it is told, before it returns.
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.fault("written", path) }
            rest = rest.dropFirst(count)
        }
    }

    private static func synchronise(folderOf path: String) throws(Fault) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.fault("opened", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.fault("written", folder) }
    }

    private static func fault(_ verb: String, _ path: String) -> Fault {
        Fault(description: "\(path) cannot be \(verb): \(systemWords(errno: errno))")
    }
}
