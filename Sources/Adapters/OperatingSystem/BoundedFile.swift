import Glibc

/// Reads files that settings name: whole, within bounds, and with words that tell why not.
public enum BoundedFile {
    /// Why a file was not read.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is wrong, and what to do where that is not plain; without the path.
        public let description: String
        /// Whether others than owner and group can read or change it.
        public let isExposed: Bool

        init(_ description: String, isExposed: Bool = false) {
            self.description = description
            self.isExposed = isExposed
        }
    }

    /// For files that must hold something.
    public static let emptyFile = Fault("is empty")

    /// What a file holds, and its permissions: those of the very file that was read.
    public struct Content: Sendable {
        public let bytes: [UInt8]
        /// The lowest nine bits are those of owner, group and others.
        public let mode: UInt32

        /// Whether others than owner and group can read or change it.
        public var isExposed: Bool { self.mode & 0o007 != 0 }
    }

    /// Reads a file of at most `limit` bytes. One that is secret must not be open to others than owner and group.
    public static func read(_ path: String, limit: Int, isSecret: Bool = false) throws(Fault) -> Content {
        // The path is copied by the kernel.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.fault(errno) }
        defer { close(descriptor) }
        var status = stat()
        // The kernel fills the structure, which lives on the stack.
        guard unsafe fstat(descriptor, &status) == 0 else { throw Self.fault(errno) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw Fault("cannot be read: it is a folder, not a file") }
        if isSecret, status.st_mode & 0o007 != 0 {
            throw Fault(
                "others can read or change this file (mode \(Self.octal(status.st_mode))); use mode 0600 or 0640",
                isExposed: true)
        }
        guard status.st_size <= limit else {
            throw Fault("is too large: \(status.st_size) bytes, and at most \(limit) are read")
        }
        return Content(bytes: try Self.bytes(descriptor, limit: limit), mode: status.st_mode)
    }

    /// The permissions as `chmod` takes them, such as 0644.
    public static func octal(_ mode: UInt32) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func bytes(_ descriptor: Int32, limit: Int) throws(Fault) -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            // The buffer has as many bytes as the call is told.
            let count = unsafe Glibc.read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.fault(errno) }
            if count == 0 { return bytes }
            bytes += part.prefix(count)
            // A pipe has no size beforehand.
            guard bytes.count <= limit else { throw Fault("is too large: at most \(limit) bytes are read") }
        }
    }

    private static func fault(_ code: Int32) -> Fault {
        switch code {
        case ENOENT: Fault("cannot be read: there is no such file")
        case EACCES:
            Fault(
                "cannot be read: user id \(geteuid()) lacks permission; change the mode or owner of the file, or of a folder above it"
            )
        default: Fault("cannot be read: \(systemWords(errno: code))")
        }
    }
}
