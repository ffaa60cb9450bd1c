public import MailModel

/// A reply that the remote server gave on this connection.
///
/// Only `SMTPReplyDecoder` makes one, from bytes that came. So no words of ours can be told as a host's, neither in a report
/// (`Remote-MTA`, and `Diagnostic-Code: smtp`; RFC 3464 §2.3.5–6) nor in a trace.
public struct RemoteReply: Hashable, Sendable {
    private let said: SMTPReply

    init(_ said: SMTPReply) { self.said = said }

    /// Three digits, 200 to 599.
    public var code: UInt16 { self.said.code }
    /// The enhanced status code, where there is one.
    public var enhancedStatus: EnhancedStatusCode? { self.said.enhancedStatus }
    /// The text, line by line, without codes; it may hold anything but line ends.
    public var lines: [String] { self.said.lines }
    /// Bytes of its text.
    var textLength: Int { self.said.lines.reduce(0) { $0 + $1.utf8.count + 1 } }
    /// What the first digit says.
    public var severity: SMTPReply.Severity { self.said.severity }
    /// 2yz.
    public var isPositiveCompletion: Bool { self.said.isPositiveCompletion }
    /// 4yz.
    public var isTransient: Bool { self.said.isTransient }
    /// 5yz.
    public var isPermanent: Bool { self.said.isPermanent }

    /// The same words as a reply that may be written again.
    public var asReply: SMTPReply { self.said }
}

extension RemoteReply: CustomStringConvertible {
    /// The reply on one printable line, for logs, traces and reports.
    public var description: String { self.said.description }
}
