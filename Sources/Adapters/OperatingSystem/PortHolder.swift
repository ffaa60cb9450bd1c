import Foundation
public import MailModel

/// The process that listens on a TCP port of this machine, as far as proc(5) tells.
public struct PortHolder: Hashable, Sendable, CustomStringConvertible {
    /// The process and its command; `nil` for one that this process may not look into.
    public var process: Process?
    /// The user id of the socket.
    public var user: UInt32

    /// A process.
    public struct Process: Hashable, Sendable {
        public var identifier: Int32
        public var command: String
    }

    /// `master (process 812)`, or `a process of user 0`.
    public var description: String {
        guard let process else { return "a process of user \(self.user)" }
        return "\(process.command) (process \(process.identifier))"
    }

    /// Who keeps others from listening at this address and port; `nil` where nobody is found.
    ///
    /// Reads the sockets of the system and, for the one that holds the port, the open files of all processes that it
    /// may look into. It is for errors, not for every day.
    public static func find(_ address: IPAddress, port: UInt16) -> PortHolder? {
        // The kernel gives its tables in pieces, and leaves rows out when sockets come and go between two of them.
        for _ in 0..<5 {
            if let holder = Self.look(address, port: port) { return holder }
        }
        return nil
    }

    /// Of a table of sockets: some 100,000 lines.
    private static let mostBytes = 16 << 20

    private static func look(_ address: IPAddress, port: UInt16) -> PortHolder? {
        for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // Read to the end: Foundation stops at the first of the pieces that the kernel gives.
            guard let content = try? BoundedFile.read(file, limit: Self.mostBytes) else { continue }
            let text = String(decoding: content.bytes, as: UTF8.self)
            let sockets = text.split(separator: "\n").compactMap { ListeningSocket($0) }
            guard let socket = sockets.first(where: { $0.isInTheWay(of: address, port: port) }) else { continue }
            return PortHolder(process: Self.process(of: socket.inode), user: socket.user)
        }
        return nil
    }

    private static func process(of inode: UInt64) -> Process? {
        let files = FileManager.default
        let wanted = "socket:[\(inode)]"
        let identifiers = ((try? files.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
        for identifier in identifiers {
            let folder = "/proc/\(identifier)/fd"
            let descriptors = (try? files.contentsOfDirectory(atPath: folder)) ?? []
            let holds = descriptors.contains { name in
                (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")) == wanted
            }
            guard holds else { continue }
            let command = (try? String(contentsOfFile: "/proc/\(identifier)/comm", encoding: .utf8)) ?? ""
            return Process(
                identifier: identifier, command: command.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        return nil
    }
}

/// A line of `/proc/net/tcp` or `/proc/net/tcp6` about a socket that listens.
struct ListeningSocket: Hashable {
    let address: IPAddress
    let port: UInt16
    let user: UInt32
    let inode: UInt64

    init(address: IPAddress, port: UInt16, user: UInt32, inode: UInt64) {
        self.address = address
        self.port = port
        self.user = user
        self.inode = inode
    }

    /// `nil` for the head of the table, and for sockets that do not listen.
    init?(_ line: some StringProtocol) {
        let fields = line.split(separator: " ")
        guard fields.count > 9, fields[3] == "0A", let user = UInt32(fields[7]), let inode = UInt64(fields[9]) else {
            return nil
        }
        let local = fields[1].split(separator: ":")
        guard local.count == 2, let port = UInt16(local[1], radix: 16), let address = Self.address(String(local[0]))
        else {
            return nil
        }
        self.init(address: address, port: port, user: user, inode: inode)
    }

    /// Each group of eight digits is a number in this machine's byte order that stands for four bytes.
    private static func address(_ text: String) -> IPAddress? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            guard let number = UInt32(rest.prefix(8), radix: 16) else { return nil }
            let inMemory = number.littleEndian
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: inMemory >> (8 * $0)) }
            rest = rest.dropFirst(8)
        }
        return IPAddress(bytes: bytes)
    }

    /// Whether nobody else can listen at the address while this socket does. One at `::` may have the IPv4 side, too.
    func isInTheWay(of address: IPAddress, port: UInt16) -> Bool {
        guard self.port == port else { return false }
        let (own, other) = (self.address.unmapped, address.unmapped)
        if [own, other].contains(where: { $0.isIPv6 && $0.isUnspecified }) { return true }
        return own.isIPv6 == other.isIPv6 && (own == other || own.isUnspecified || other.isUnspecified)
    }
}
