import CSeccomp
import Glibc

/// One end of the socket between a node and its resolver; each message is one datagram, which arrives whole or not at all.
///
/// Nothing here waits. The owner closes it.
struct ResolverSocket: Sendable {
    enum Sending: Equatable {
        case sent
        /// The other side has not read what it was sent before.
        case full
        /// Nobody is there.
        case broken
    }

    enum Receiving: Equatable {
        case message([UInt8])
        case nothing
        /// Nobody is there any more, or what came was longer than any message.
        case broken
    }

    let descriptor: Int32

    /// Both ends; `nil` when the system gives none.
    static func pair() -> (ResolverSocket, ResolverSocket)? {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        // The array has the two places that are written to.
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
        return (ResolverSocket(descriptor: ends[0]), ResolverSocket(descriptor: ends[1]))
    }

    func send(_ message: [UInt8]) -> Sending {
        while true {
            // The array outlives the call.
            let count = unsafe Glibc.send(self.descriptor, message, message.count, Int32(MSG_NOSIGNAL))
            if count == message.count { return .sent }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .full
            default: return .broken
            }
        }
    }

    func receive() -> Receiving {
        while true {
            var length = 0
            let message = unsafe [UInt8](unsafeUninitializedCapacity: ResolverMessage.longestMessage) { buffer, count in
                // With MSG_TRUNC the length is that of the datagram, whatever fits.
                length = unsafe recv(self.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC))
                count = max(0, min(length, buffer.count))
            }
            if length > 0 { return length == message.count ? .message(message) : .broken }
            // An empty datagram and the end look alike; nobody sends the one.
            if length == 0 { return .broken }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            default: return .broken
            }
        }
    }

    func close() { Glibc.close(self.descriptor) }
}
