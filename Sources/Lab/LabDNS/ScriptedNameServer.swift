import Foundation
import Glibc
import LabSupport
import Synchronization

/// An authoritative name server of our own, over UDP and TCP, which answers as a closure says: with what no real server
/// would send.
///
/// A resolver finds it as the server of a stub zone, since delegations name no ports. It counts what it is asked, for that is
/// what a look-up costs.
public final class ScriptedNameServer: Sendable {
    /// What becomes of one question.
    public enum Reply: Sendable {
        /// A message. Over UDP, if it is longer than 1232 bytes, one that says to come by TCP.
        case message([UInt8])
        /// The same after a while.
        case later([UInt8], after: Duration)
        /// Silence; a TCP connection stays open.
        case nothing
        /// A TCP connection is closed; over UDP silence.
        case close
        /// These bytes as they are, without a length before them, and the end of a TCP connection.
        case raw([UInt8])
        /// Over TCP a message, byte by byte with a pause after each; over UDP silence.
        case trickle([UInt8], every: Duration)
    }

    /// Answers one question.
    public typealias Script = @Sendable (DNSQuery, DNSQuery.Transport) -> Reply

    private struct State {
        var asked: [Question] = []
        var connections: Set<Int32> = []
        var isStopped = false
    }

    /// A question that came.
    public struct Question: Hashable, Sendable {
        /// In lower case, without trailing dot.
        public var name: String
        /// The type's number.
        public var type: UInt16
        /// How it came.
        public var transport: DNSQuery.Transport
    }

    private static let longestDatagram = 1232
    /// The most connections at once.
    private static let longestTable = 256

    /// It listens here, on 127.0.0.1, over UDP and TCP.
    public let port: UInt16
    private let datagrams: Int32
    private let listener: Int32
    private let script: Script
    private let state = Mutex(State())

    /// Answers from now on until `stop()`.
    public init(_ script: @escaping Script) throws {
        self.script = script
        (self.port, self.datagrams, self.listener) = try Self.sockets()
        listen(self.listener, 128)
        Self.start("name server, UDP") { [self] in self.serveDatagrams() }
        Self.start("name server, TCP") { [self] in self.accept() }
    }

    deinit {
        close(self.datagrams)
        close(self.listener)
    }

    /// How many questions came; of those that this is true of.
    public func questions(where isCounted: (Question) -> Bool = { _ in true }) -> Int {
        self.state.withLock(\.asked).count(where: isCounted)
    }

    /// Ends it. Questions meet silence from then on.
    public func stop() {
        let connections = self.state.withLock { state in
            state.isStopped = true
            return state.connections
        }
        for descriptor in [self.datagrams, self.listener] + connections { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private func reply(to packet: [UInt8], _ transport: DNSQuery.Transport) -> Reply {
        guard let query = DNSQuery(packet) else { return .close }
        self.state.withLock { $0.asked.append(.init(name: query.name, type: query.type, transport: transport)) }
        let reply = self.script(query, transport)
        if case .later(let bytes, let pause) = reply, transport == .tcp {
            usleep(UInt32(pause / .microseconds(1)))
            return .message(bytes)
        }
        guard transport == .udp, case .message(let bytes) = reply, bytes.count > Self.longestDatagram else {
            return reply
        }
        return .message(query.reply(flags: [.authoritative, .truncated]))
    }

    // MARK: UDP

    private func serveDatagrams() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var client = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &client) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(self.datagrams, &buffer, buffer.count, 0, $0, &length)
                }
            }
            // `shutdown` wakes it with nothing.
            guard count > 0 else { return }
            let address = client
            switch self.reply(to: Array(buffer[..<count]), .udp) {
            case .message(let bytes), .raw(let bytes): self.send(bytes, to: address)
            case .later(let bytes, let pause):
                Self.start("name server, reply") { [self] in
                    usleep(UInt32(pause / .microseconds(1)))
                    self.send(bytes, to: address)
                }
            case .nothing, .close, .trickle: ()
            }
        }
    }

    private func send(_ bytes: [UInt8], to client: sockaddr_in) {
        _ = withUnsafePointer(to: client) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(self.datagrams, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    // MARK: TCP

    private func accept() {
        while true {
            let connection = accept4(self.listener)
            guard connection >= 0 else { return }
            let isTaken = self.state.withLock { state in
                guard !state.isStopped, state.connections.count < Self.longestTable else { return false }
                return state.connections.insert(connection).inserted
            }
            guard isTaken else {
                close(connection)
                continue
            }
            Self.start("name server, connection") { [self] in
                self.serve(connection)
                _ = self.state.withLock { $0.connections.remove(connection) }
                close(connection)
            }
        }
    }

    private func accept4(_ listener: Int32) -> Int32 {
        let connection = Glibc.accept(listener, nil, nil)
        if connection >= 0 { _ = fcntl(connection, F_SETFD, FD_CLOEXEC) }
        return connection
    }

    private func serve(_ connection: Int32) {
        while let head = Self.read(2, from: connection),
            let packet = Self.read(Int(head[0]) << 8 | Int(head[1]), from: connection)
        {
            switch self.reply(to: packet, .tcp) {
            case .message(let bytes):
                guard Self.send(UInt16(bytes.count).bytes + bytes, to: connection) else { return }
            case .trickle(let bytes, let pause):
                for byte in UInt16(bytes.count).bytes + bytes {
                    guard Self.send([byte], to: connection) else { return }
                    usleep(UInt32(pause / .microseconds(1)))
                }
            case .raw(let bytes):
                _ = Self.send(bytes, to: connection)
                return
            case .close: return
            case .nothing, .later: ()
            }
        }
    }

    private static func read(_ count: Int, from connection: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let more = bytes[filled...].withUnsafeMutableBytes { recv(connection, $0.baseAddress, $0.count, 0) }
            guard more > 0 else { return nil }
            filled += more
        }
        return bytes
    }

    private static func send(_ bytes: [UInt8], to connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let more = bytes[sent...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard more > 0 else { return false }
            sent += more
        }
        return true
    }

    // MARK: Support

    private static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.start()
    }

    /// Both sockets, at a port that is free for both.
    private static func sockets() throws -> (UInt16, Int32, Int32) {
        for _ in 0..<16 {
            let port = Ports.unused()
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var isReused: Int32 = 1
            setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
            if Self.bind(datagrams, port) == 0, Self.bind(listener, port) == 0 { return (port, datagrams, listener) }
            // Another lab was quicker.
            close(datagrams)
            close(listener)
        }
        throw ChildProcess.Failure("no port for a name server: errno \(errno)")
    }

    private static func bind(_ descriptor: Int32, _ port: UInt16) -> Int32 {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
