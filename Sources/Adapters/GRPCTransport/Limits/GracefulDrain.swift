/// A server's graceful end of a connection (control 22): a GOAWAY that names no stream and a PING; a second GOAWAY, with the last
/// stream, when that PING is acknowledged; the end when no stream is open and the second was sent.
struct GracefulDrain: Hashable, Sendable {
    private enum State {
        case running
        case announced
        case final
    }

    /// What the PING carries.
    static let ping: UInt64 = 0x6772_6163_6566_756C
    private var state = State.running

    /// Whether the connection is ending.
    var hasBegun: Bool { self.state != .running }

    /// Begins; `true` if the announcement is to be sent.
    mutating func begin() -> Bool {
        guard self.state == .running else { return false }
        self.state = .announced
        return true
    }

    /// A PING was acknowledged; `true` if the second GOAWAY is to be sent.
    mutating func acknowledged(_ payload: UInt64) -> Bool {
        guard self.state == .announced, payload == Self.ping else { return false }
        self.state = .final
        return true
    }

    /// Whether the connection may be closed.
    func isOver(openStreams: Int) -> Bool { self.state == .final && openStreams == 0 }
}
