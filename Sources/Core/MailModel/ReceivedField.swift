/// The trace field that a relay puts on top of a message that it accepts (RFC 5321 §4.4).
public struct ReceivedField: Hashable, Sendable {
    /// How the client introduced itself.
    public let hello: Envelope.Hello
    /// How the message came.
    public let transmission: TransmissionProtocol
    /// The client's address; `nil` where the field is to tell neither that nor its name.
    public let clientAddress: IPAddress?
    /// The name of this host.
    public let by: DomainName
    /// The TLS session, if there was one.
    public let tls: TLSInfo?
    /// The id of the message on this relay.
    public let id: MessageID
    /// When it came.
    public let at: Timestamp

    /// A trace field.
    public init(
        hello: Envelope.Hello, transmission: TransmissionProtocol, clientAddress: IPAddress?, by: DomainName,
        tls: TLSInfo?,
        id: MessageID, at: Timestamp
    ) {
        self.hello = hello
        self.transmission = transmission
        self.clientAddress = clientAddress
        self.by = by
        self.tls = tls
        self.id = id
        self.at = at
    }

    /// The whole field, folded, with its CRLF.
    public var bytes: [UInt8] {
        var lines = ["Received: from \(self.from)"]
        if let tls { lines.append("(using \(Self.comment(tls.version)) with cipher \(Self.comment(tls.cipher)))") }
        // The recipient is left out (no FOR clause): a message may have several, and must not reveal one to another.
        lines += ["by \(self.by) with \(self.transmission) id \(self.id);", self.at.headerDate]
        return Array((lines.joined(separator: "\r\n\t") + "\r\n").utf8)
    }

    /// The EHLO name where it is a name, else the address, because the field's grammar takes nothing else; and the address. This
    /// host's name where the client is not told.
    private var from: String {
        guard let clientAddress else { return self.by.text }
        let literal = "\(Mailbox.Domain.literal(clientAddress))"
        return "\(DomainName(self.hello.name)?.text ?? literal) (\(literal))"
    }

    /// Text made fit for a comment: no parentheses, no backslashes, no control bytes, at most 64 bytes.
    private static func comment(_ text: String) -> String {
        String(
            decoding: text.utf8.filter { (0x21...0x7e).contains($0) && ![0x28, 0x29, 0x5c].contains($0) }.prefix(64),
            as: UTF8.self)
    }
}
