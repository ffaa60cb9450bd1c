import NIOCore

@testable import GRPCTransport

/// A client's and a server's session, joined in memory, on a clock of the test's.
final class SessionPair {
    let client, server: HTTP2Session
    private(set) var clientEvents: [HTTP2Event] = []
    private(set) var serverEvents: [HTTP2Event] = []
    /// All that each has sent.
    private(set) var fromClient = ByteBuffer()
    private(set) var fromServer = ByteBuffer()
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    static let request: HeaderList = [
        ":method": "POST", ":scheme": "https", ":path": "/pkg.Service/Method", ":authority": "host",
        "te": "trailers", "content-type": "application/grpc",
    ]
    static let response: HeaderList = [":status": "200", "content-type": "application/grpc"]

    init(client: HTTP2Limits = HTTP2Limits(), server: HTTP2Limits = HTTP2Limits()) throws {
        self.client = try HTTP2Session(.client, client, at: self.now)
        self.server = try HTTP2Session(.server, server, at: self.now)
    }

    /// Passes bytes both ways until nobody has any; `byteByByte` passes them one at a time.
    func run(byteByByte: Bool = false) {
        while true {
            let sent = self.take(self.client, &self.fromClient)
            self.give(sent, to: self.server, byteByByte)
            self.serverEvents += self.server.takeEvents()
            let answered = self.take(self.server, &self.fromServer)
            self.give(answered, to: self.client, byteByByte)
            self.clientEvents += self.client.takeEvents()
            if sent.readableBytes == 0, answered.readableBytes == 0 { return }
        }
    }

    private func take(_ session: HTTP2Session, _ all: inout ByteBuffer) -> ByteBuffer {
        var bytes = ByteBuffer()
        session.pump(into: &bytes, limit: .max)
        all.writeImmutableBuffer(bytes)
        return bytes
    }

    private func give(_ bytes: ByteBuffer, to session: HTTP2Session, _ byteByByte: Bool) {
        guard byteByByte else { return session.receive(bytes, at: self.now) }
        for byte in bytes.readableBytesView { session.receive(ByteBuffer(bytes: [byte]), at: self.now) }
    }

    func forgetEvents() {
        self.clientEvents = []
        self.serverEvents = []
        self.fromClient.clear()
        self.fromServer.clear()
    }

    /// Gives bytes of no session's to the server, and passes on what it answers.
    func inject(_ bytes: [UInt8]) {
        self.server.receive(ByteBuffer(bytes: bytes), at: self.now)
        self.serverEvents += self.server.takeEvents()
    }
}

/// Frames as bytes (RFC 9113 §4.1).
enum Frame {
    static func bytes(_ type: UInt8, flags: UInt8 = 0, stream: Int32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
            + Self.number(UInt32(stream)) + payload
    }

    static func number(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

    /// What frames bytes are, behind a preface if there is one.
    static func read(_ buffer: ByteBuffer) -> [(type: UInt8, flags: UInt8, stream: Int32, payload: [UInt8])] {
        var buffer = buffer
        if buffer.readableBytesView.starts(with: Array("PRI * ".utf8)) { buffer.moveReaderIndex(forwardBy: 24) }
        var frames: [(type: UInt8, flags: UInt8, stream: Int32, payload: [UInt8])] = []
        while let header = buffer.readBytes(length: 9) {
            let length = header[0..<3].reduce(0) { $0 << 8 | Int($1) }
            let stream = header[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
            frames.append((header[3], header[4], Int32(stream), buffer.readBytes(length: length) ?? []))
        }
        return frames
    }
}
