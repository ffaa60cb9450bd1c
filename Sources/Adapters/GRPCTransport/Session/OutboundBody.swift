import DequeModule
import NIOCore

/// The bytes of a stream that wait to be sent, and what follows them.
package struct OutboundBody {
    package enum Ending {
        /// More may come.
        case open
        /// The stream ends behind the last byte.
        case endStream
        /// Trailers follow the last byte, and end the stream.
        case trailers(HeaderList)
    }

    /// What the session does after it has read.
    enum Step {
        /// Nothing is there yet: do not ask until more is (control 28).
        case deferred
        case bytes(Int)
        /// These bytes were the last.
        case end(Int)
        /// These bytes were the last before trailers.
        case trailers(Int, HeaderList)
    }

    private var chunks: Deque<ByteBuffer> = []
    private var ending = Ending.open
    private(set) var isDeferred = false

    /// Appends bytes; `true` if the session is to be resumed.
    mutating func append(_ bytes: ByteBuffer) -> Bool {
        guard case .open = self.ending else { return false }
        self.chunks.append(bytes)
        return self.resume()
    }

    /// Ends the body; `true` if the session is to be resumed.
    mutating func end(_ ending: Ending) -> Bool {
        guard case .open = self.ending else { return false }
        self.ending = ending
        return self.resume()
    }

    private mutating func resume() -> Bool {
        defer { self.isDeferred = false }
        return self.isDeferred
    }

    /// Moves bytes to `target`, as many as there are or as it has room for.
    @unsafe mutating func read(into target: UnsafeMutableRawBufferPointer) -> Step {
        var written = 0
        while written < target.count, !self.chunks.isEmpty {
            let count = min(target.count - written, self.chunks[0].readableBytes)
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[written..<written + count])
            // Both are `count` bytes long.
            unsafe self.chunks[0].readWithUnsafeReadableBytes { source in
                unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(count)))
                return count
            }
            written += count
            if self.chunks[0].readableBytes == 0 { self.chunks.removeFirst() }
        }
        guard self.chunks.isEmpty else { return .bytes(written) }
        switch self.ending {
        case .endStream: return .end(written)
        case .trailers(let list): return .trailers(written, list)
        case .open where written == 0:
            self.isDeferred = true
            return .deferred
        case .open: return .bytes(written)
        }
    }
}
