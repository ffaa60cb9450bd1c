/// Cuts a byte stream into command lines (RFC 5321 §2.3.8), fed in pieces of any size.
///
/// Only CRLF ends a line. A NUL, a bare CR or a bare LF is never repaired: the stream is refused at that byte. Two
/// hosts that disagree about line ends can be made to disagree about commands.
public struct SMTPCommandDecoder: Hashable, Sendable {
    /// What the bytes amounted to.
    public enum Result: Hashable, Sendable {
        /// No whole line yet; all bytes were taken.
        case needInput
        /// One line, without its CRLF.
        case line([UInt8])
        /// A line over its limit has ended; its bytes were dropped, and the stream may go on.
        case lineTooLong
        /// A NUL, bare CR or bare LF: the stream cannot go on.
        case malformed
        /// An over-long line did not end within the discard limit: the stream cannot go on.
        case endless
    }

    private let lineLimit: Int
    private let discardLimit: Int
    private var line: [UInt8] = []
    private var sawCarriageReturn = false
    private var discarded = 0

    /// Lines of at most `lineLimit` bytes with CRLF; `discardLimit` bounds what is dropped of a longer one.
    public init(lineLimit: Int, discardLimit: Int) {
        self.lineLimit = lineLimit
        self.discardLimit = discardLimit
    }

    /// Reads until the first result, and says how many bytes that took.
    public mutating func decode(_ input: Span<UInt8>) -> (consumed: Int, result: Result) {
        for index in input.indices {
            let byte = input[index]
            switch byte {
            case UInt8(ascii: "\n") where self.sawCarriageReturn:
                return (index + 1, self.endLine())
            case _ where self.sawCarriageReturn, 0, UInt8(ascii: "\n"):
                return (index + 1, .malformed)
            case UInt8(ascii: "\r"):
                self.sawCarriageReturn = true
            case _ where self.discarded == 0 && self.line.count < self.lineLimit - 2:
                self.line.append(byte)
            default:
                self.discarded += 1
                if self.discarded > self.discardLimit { return (index + 1, .endless) }
            }
        }
        return (input.count, .needInput)
    }

    private mutating func endLine() -> Result {
        defer {
            self.line = []
            self.sawCarriageReturn = false
            self.discarded = 0
        }
        return self.discarded > 0 ? .lineTooLong : .line(self.line)
    }
}
