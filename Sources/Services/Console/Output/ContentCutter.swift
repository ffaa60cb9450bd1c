/// A part of a message's content.
public enum ContentPart: String, Hashable, Sendable, CaseIterable {
    /// All of it.
    case all
    /// The header section, without the empty line that ends it.
    case headers
    /// What follows the empty line.
    case body
}

/// Cuts a part out of content that comes in pieces, cut anywhere.
///
/// The header section ends before the first empty line (RFC 5322 §2.1); without one, all is header.
struct ContentCutter {
    private let part: ContentPart
    private var isInBody = false
    /// Nothing of the line has come yet, but for a CR.
    private var isLineEmpty = true
    /// A CR at the start of a line, which is held until it is known whether the line is empty.
    private var hasReturn = false

    init(_ part: ContentPart) { self.part = part }

    /// Nothing that comes is wanted any more.
    var isAtEnd: Bool { self.part == .headers && self.isInBody }

    /// What is wanted of the next piece.
    mutating func kept(of piece: [UInt8]) -> [UInt8] {
        guard self.part != .all else { return piece }
        guard !self.isInBody else { return self.part == .body ? piece : [] }
        var headers: [UInt8] = []
        for (index, byte) in piece.enumerated() {
            switch byte {
            case UInt8(ascii: "\r") where self.isLineEmpty && !self.hasReturn: self.hasReturn = true
            case UInt8(ascii: "\n") where self.isLineEmpty:
                self.isInBody = true
                return self.part == .headers ? headers : Array(piece[(index + 1)...])
            default:
                if self.hasReturn { headers.append(UInt8(ascii: "\r")) }
                self.hasReturn = false
                headers.append(byte)
                self.isLineEmpty = byte == UInt8(ascii: "\n")
            }
        }
        return self.part == .headers ? headers : []
    }
}
