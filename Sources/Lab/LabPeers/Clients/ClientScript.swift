/// What a client says to a server and must hear from it, step by step: the client's side of what `ScriptedRule` is for the
/// server's. A script is a value; where it fails it says at which step, and what was heard until then.
///
/// ```swift
/// [.expect(220), .send("EHLO a.test"), .expect(250), .startTLS, .send("NOOP"), .expect(503)]
/// [.hello, .send("MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA"), .expect(250, 250, 354)]    // one segment
/// [.hello, .send("DATA"), .expect("503 5.5.1")]                                  // how the last line begins
/// [.hello, .drip("x", every: .milliseconds(100), until: 421), .closed]           // byte by byte
/// [.hello, .envelope(to: "b@b.test"), .content("x"), .afterDot(.hangUp)]       // gone before the reply
/// [.hello, .send("QUIT"), .endSending, .expect(221), .closed]                  // TCP's half-close, TLS's close_notify
/// [.hello, .stall(.seconds(2)), .closed]
/// ```
public struct ClientScript: Hashable, Sendable {
    /// One thing that the client does.
    public enum Step: Hashable, Sendable {
        /// Sends these lines in one segment, with CRLF behind each.
        case lines([String])
        /// Sends this as it is, so many times, as fast as it can.
        case bytes(String, times: Int = 1)
        /// Sends this again and again, with a pause between two, until the server says something, which must begin like this.
        case drip(String, every: Duration, until: String)
        /// Reads as many replies; the last line of each must begin like this.
        case replies([String])
        /// STARTTLS and the handshake, which any certificate passes. No EHLO is said after it.
        case startTLS
        /// Neither sends nor reads for so long.
        case stall(Duration)
        /// Ends the client's side of the connection, as a client may that has said everything, and goes on reading.
        case endSending
        /// The server ends the connection, and says nothing more.
        case closed
        /// Closes the connection; what comes after it is not played.
        case hangUp
        /// A few steps under one name.
        case group(String, [Step])
    }

    /// What is done, in this order.
    public let steps: [Step]

    /// A script of these steps.
    public init(_ steps: Step...) { self.steps = steps }
}

extension ClientScript: ExpressibleByArrayLiteral {
    public init(arrayLiteral steps: Step...) { self.steps = steps }

    private init(steps: [Step]) { self.steps = steps }

    /// One script, and then the other.
    public static func + (first: Self, second: Self) -> Self { Self(steps: first.steps + second.steps) }
}

extension ClientScript.Step {
    /// Sends these lines in one segment.
    public static func send(_ lines: String...) -> Self { .lines(lines) }

    /// Sends this again and again, until a reply with this code comes.
    public static func drip(_ text: String, every pause: Duration, until code: Int) -> Self {
        .drip(text, every: pause, until: "\(code)")
    }

    /// Reads as many replies, with these codes.
    public static func expect(_ codes: Int...) -> Self { .replies(codes.map { "\($0)" }) }

    /// Reads as many replies, whose last lines begin like this, or like one of several between which `|` stands.
    public static func expect(_ beginnings: String...) -> Self { .replies(beginnings) }

    /// Reads the greeting and says EHLO.
    public static var hello: Self { .group("hello", [.expect(220), .send("EHLO client.test"), .expect(250)]) }

    /// Reads the greeting, says EHLO, and again over TLS.
    public static var secureHello: Self {
        .group("secureHello", [.hello, .startTLS, .send("EHLO client.test"), .expect(250)])
    }

    /// MAIL from `a@client.test` and RCPT, one after the other.
    public static func envelope(to recipient: String) -> Self {
        .group(
            "envelope(to: \(recipient))",
            [.send("MAIL FROM:<a@client.test>"), .expect(250), .send("RCPT TO:<\(recipient)>"), .expect(250)])
    }

    /// DATA, and this as it is; the final dot is left to the steps behind it.
    public static func content(_ text: String) -> Self {
        .group("content(\(Self.quoted(text)))", [.send("DATA"), .expect(354), .bytes(text)])
    }

    /// The final dot of DATA, whatever stood before it, and then this.
    public static func afterDot(_ step: Self) -> Self { .group("afterDot(\(step))", [.bytes("\r\n.\r\n"), step]) }
}

extension ClientScript: CustomStringConvertible {
    /// The steps as they are written.
    public var description: String { "[\(self.steps.map(\.description).joined(separator: ", "))]" }
}

extension ClientScript.Step: CustomStringConvertible {
    /// The most of a text that is shown.
    private static let shownCharacters = 60

    /// The step as it is written.
    public var description: String {
        switch self {
        case .lines(let lines): ".send(\(lines.map(Self.quoted).joined(separator: ", ")))"
        case .bytes(let text, 1): ".bytes(\(Self.quoted(text)))"
        case .bytes(let text, let times): ".bytes(\(Self.quoted(text)), times: \(times))"
        case .drip(let text, let pause, let reply): ".drip(\(Self.quoted(text)), every: \(pause), until: \(reply))"
        case .replies(let beginnings): ".expect(\(beginnings.joined(separator: ", ")))"
        case .startTLS: ".startTLS"
        case .stall(let duration): ".stall(\(duration))"
        case .endSending: ".endSending"
        case .closed: ".closed"
        case .hangUp: ".hangUp"
        case .group(let name, _): ".\(name)"
        }
    }

    private static func quoted(_ text: String) -> String {
        let shown = text.prefix(Self.shownCharacters)
        return shown.debugDescription + (shown.endIndex == text.endIndex ? "" : "…")
    }
}
