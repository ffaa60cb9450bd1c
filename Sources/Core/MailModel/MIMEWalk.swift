/// Follows the structure of a message line by line (RFC 2046 §5), and keeps the header section that it is in.
///
/// Where two readers could see different parts it refuses: encoding what one of them takes for a delimiter would change the message.
struct MIMEWalk: Hashable, Sendable {
    /// What lines have turned out to be.
    enum Event: Hashable {
        /// A header section, as far as its empty line.
        case headers(MIMEHeaders)
        /// A line of a part that holds no others.
        case content([UInt8])
        /// The part that holds no others is over.
        case contentEnd
        /// A delimiter, an empty line behind a header section, or what stands outside of all parts.
        case structure([UInt8])
    }

    private enum Container: Hashable {
        case multipart(boundary: [UInt8], isDigest: Bool)
        case message
    }

    private enum Position: Hashable {
        case headers(MIMEHeaders.Place)
        case content
        /// Before the first delimiter of a multipart, or behind its last.
        case outside
    }

    private struct Delimiter {
        let container: Int
        let isLast: Bool
    }

    private static let clearSigned = Array("-----BEGIN PGP SIGNED MESSAGE-----\r\n".utf8)

    private let limits: SevenBitLimits
    private var position = Position.headers(.message)
    private var headerLines: [[UInt8]] = []
    private var headerBytes = 0
    private var containers: [Container] = []
    private var parts = 0

    init(limits: SevenBitLimits) { self.limits = limits }

    /// Takes a line with its CRLF.
    mutating func take(_ line: [UInt8]) throws(SevenBitRefusal) -> [Event] {
        if let delimiter = try self.delimiter(line) {
            let events = try self.endPart()
            self.containers.removeSubrange((delimiter.container + 1)...)
            self.pass(delimiter)
            return events + [.structure(line)]
        }
        switch self.position {
        case .headers where line == ContentLines.crlf:
            let headers = try self.endHeaders()
            return [.headers(headers), .structure(line)]
        case .headers:
            self.headerBytes += line.count
            guard self.headerBytes <= self.limits.header else { throw .limit(.header) }
            self.headerLines.append(line)
            return []
        case .content:
            guard line != Self.clearSigned else { throw .signed }
            return [.content(line)]
        case .outside:
            guard line.allSatisfy({ $0 < 0x80 }) else { throw .unencodable }
            return [.structure(line)]
        }
    }

    /// The message is over.
    mutating func finish() throws(SevenBitRefusal) -> [Event] { try self.endPart() }

    /// A part may end with its header section (RFC 2046 §5.1.1).
    private mutating func endPart() throws(SevenBitRefusal) -> [Event] {
        switch self.position {
        case .outside: return []
        case .content: return [.contentEnd]
        case .headers:
            let headers = try self.endHeaders()
            guard self.position == .content else { throw .malformed }
            return [.headers(headers), .contentEnd]
        }
    }

    private mutating func endHeaders() throws(SevenBitRefusal) -> MIMEHeaders {
        guard case .headers(let place) = self.position else { throw .malformed }
        let headers = try MIMEHeaders(self.headerLines, at: place)
        (self.headerLines, self.headerBytes) = ([], 0)
        switch headers.content {
        case .text, .data, .fixed:
            self.parts += 1
            guard self.parts <= self.limits.parts else { throw .limit(.parts) }
            self.position = .content
        case .multipart(let boundary, let isDigest):
            try self.enter(.multipart(boundary: boundary, isDigest: isDigest))
            self.position = .outside
        case .message:
            try self.enter(.message)
            self.position = .headers(.message)
        }
        return headers
    }

    private mutating func enter(_ container: Container) throws(SevenBitRefusal) {
        guard self.containers.count < self.limits.depth else { throw .limit(.depth) }
        self.containers.append(container)
    }

    private mutating func pass(_ delimiter: Delimiter) {
        guard case .multipart(_, let isDigest) = self.containers[delimiter.container] else { return }
        if delimiter.isLast {
            self.containers.removeLast()
            self.position = .outside
        } else {
            self.position = .headers(.part(isInDigest: isDigest))
        }
    }

    /// The delimiter that the line is. One of an outer multipart ends the inner ones, too.
    private func delimiter(_ line: [UInt8]) throws(SevenBitRefusal) -> Delimiter? {
        let dashes = Array("--".utf8)
        guard line.starts(with: dashes) else { return nil }
        var isAmbiguous = false
        for (index, container) in self.containers.enumerated().reversed() {
            guard case .multipart(let boundary, _) = container, line.dropFirst(2).starts(with: boundary) else {
                continue
            }
            var rest = line.dropFirst(2 + boundary.count)
            while let last = rest.last, [0x20, 0x09, 0x0d, 0x0a].contains(last) { rest.removeLast() }
            if rest.isEmpty { return Delimiter(container: index, isLast: false) }
            if rest.elementsEqual(dashes) { return Delimiter(container: index, isLast: true) }
            isAmbiguous = true
        }
        // Some readers take any line that begins with a boundary for a delimiter.
        if isAmbiguous { throw .malformed }
        return nil
    }
}
