/// One SMTP reply: code, enhanced status code and text (RFC 5321 §4.2, RFC 2034).
public struct SMTPReply: Hashable, Sendable {
    /// What the first digit of a code says (§4.2.1).
    public enum Severity: UInt8, Hashable, Sendable {
        /// 2yz: done.
        case positiveCompletion = 2
        /// 3yz: go on.
        case positiveIntermediate = 3
        /// 4yz: not now.
        case transientNegative = 4
        /// 5yz: not at all.
        case permanentNegative = 5
    }

    /// The most bytes in one line, with code and CRLF (§4.5.3.1.5).
    public static let maximumLineLength = 512

    /// Three digits, 200 to 599.
    public let code: UInt16
    /// The enhanced status code, where there is one.
    public let enhancedStatus: EnhancedStatusCode?
    /// The text, line by line, without codes. From a peer it may hold anything but line ends: see `SafeText`.
    public let lines: [String]

    /// A reply. A code outside 200...599 is a fault of ours and becomes the nearest in range.
    public init(_ code: UInt16, _ enhancedStatus: EnhancedStatusCode?, lines: [String]) {
        self.code = min(max(code, 200), 599)
        self.enhancedStatus = enhancedStatus
        self.lines = lines
    }

    /// A reply with its lines as arguments.
    public init(_ code: UInt16, _ enhancedStatus: EnhancedStatusCode? = nil, _ lines: String...) {
        self.init(code, enhancedStatus, lines: lines)
    }

    /// What the first digit says.
    public var severity: Severity { Severity(rawValue: UInt8(self.code / 100)) ?? .permanentNegative }

    /// 2yz.
    public var isPositiveCompletion: Bool { self.severity == .positiveCompletion }
    /// 4yz.
    public var isTransient: Bool { self.severity == .transientNegative }
    /// 5yz.
    public var isPermanent: Bool { self.severity == .permanentNegative }

    /// Appends the reply as it goes on the wire: escaped to printable ASCII, at most 512 bytes a line.
    public func serialise(into output: inout [UInt8]) {
        let status = self.enhancedStatus.map { "\($0) " } ?? ""
        let width = Self.maximumLineLength - 6 - status.utf8.count
        var pieces = self.lines.flatMap { SafeText.wrap(SafeText.escape($0), width: width) }
        if pieces.isEmpty { pieces = [""] }
        for (index, piece) in pieces.enumerated() {
            let separator = index == pieces.count - 1 ? " " : "-"
            output += "\(self.code)\(separator)\(status)\(piece)\r\n".utf8
        }
    }

    /// The reply as bytes for the wire.
    public var serialised: [UInt8] {
        var output: [UInt8] = []
        self.serialise(into: &output)
        return output
    }
}

extension SMTPReply: CustomStringConvertible {
    /// The most bytes of a reply's text that logs, traces and reports tell.
    public static let maximumDescription = 2048

    /// The reply on one printable line, for logs, traces and reports.
    public var description: String {
        let status = self.enhancedStatus.map { "\($0)" }
        let told = SafeText.bytes(of: self.lines.joined(separator: " ")).prefix(Self.maximumDescription)
        let text = self.lines.isEmpty ? nil : SafeText.escape(bytes: told)
        return ([String(self.code), status, text] as [String?]).compactMap { $0 }.joined(separator: " ")
    }
}
