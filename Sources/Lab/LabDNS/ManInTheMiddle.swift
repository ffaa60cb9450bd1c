import Foundation
import Glibc
import LabSupport

/// Somebody between a resolver and its name server who has no key of any zone. Some answers it makes up, unsigned, and
/// all others it passes on. Over UDP only, so what it passes on must fit there.
public final class ManInTheMiddle: Sendable {
    /// What it makes up: the answer to questions of one type at or below a name.
    public struct Forgery: Sendable {
        let name: String
        let type: UInt16
        let data: [UInt8]?

        /// - Parameters:
        ///   - name: without trailing dot.
        ///   - data: RDATA of the one record to answer with; `nil` answers that there is none.
        public init(_ name: String, type: UInt16, data: [UInt8]? = nil) {
            self.name = name
            self.type = type
            self.data = data
        }

        fileprivate func applies(to query: DNSQuery) -> Bool {
            query.type == self.type && query.isIn(self.name)
        }
    }

    /// It listens here, on 127.0.0.1.
    public let port: UInt16
    private let descriptor: Int32
    private let server: UInt16
    private let forgeries: [Forgery]

    /// Stands before the server at `server` of 127.0.0.1 until `stop()`.
    public init(before server: UInt16, _ forgeries: [Forgery]) throws {
        self.port = Ports.unused()
        self.server = server
        self.forgeries = forgeries
        self.descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard Self.withAddress(self.port, { bind(self.descriptor, $0, $1) }) == 0 else {
            throw ChildProcess.Failure("cannot bind UDP port \(self.port): errno \(errno)")
        }
        let thread = Thread { [self] in self.run() }
        thread.name = "man in the middle"
        thread.start()
    }

    deinit { close(self.descriptor) }

    /// Ends it. Questions meet silence from then on.
    public func stop() { shutdown(self.descriptor, Int32(SHUT_RDWR)) }

    private func run() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var client = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &client) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(self.descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            // `shutdown` wakes it with nothing.
            guard count > 0 else { return }
            let answer = self.answer(Array(buffer[..<count]))
            _ = withUnsafePointer(to: &client) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(self.descriptor, answer, answer.count, 0, $0, length)
                }
            }
        }
    }

    private func answer(_ packet: [UInt8]) -> [UInt8] {
        guard let query = DNSQuery(packet), let forgery = self.forgeries.first(where: { $0.applies(to: query) }) else {
            return self.pass(on: packet)
        }
        // NOERROR with one record, or none; no signature, no denial.
        return query.reply(forgery.data.map { [WireRecord(query.name, query.type, $0)] } ?? [])
    }

    private func pass(on packet: [UInt8]) -> [UInt8] {
        let upstream = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(upstream) }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(upstream, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard Self.withAddress(self.server, { connect(upstream, $0, $1) }) == 0,
            send(upstream, packet, packet.count, 0) == packet.count
        else { return [] }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(upstream, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    private static func withAddress(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
