/// What one client may ask of a server session, and what happens beyond it.
public struct SMTPServerLimits: Hashable, Sendable {
    /// Bytes in a command line with CRLF; a longer one is answered 500, and the session goes on.
    public var commandLineBytes = 2048
    /// Bytes dropped of one over-long command line; then 500 and the connection is closed.
    public var discardedLineBytes = 64 * 1024
    /// Recipients in one message, told as RCPTMAX (RFC 9422); the next is answered 452 (RFC 5321 §4.5.3.1.10). As many may
    /// be put off in this way since the last accepted message; then each counts as an error.
    public var recipients = 1000
    /// MAIL commands in one connection, told as MAILMAX (RFC 9422); the next is answered 421, and the connection is closed.
    public var messages = 1000
    /// Bytes in a line of an AUTH exchange with CRLF (RFC 4954 §4 finds 12,288 sufficient). A longer one is answered
    /// 500, and the exchange is over.
    public var authenticationLineBytes = 12_288
    /// Refused credentials in one connection; with the last comes 421, and the connection is closed.
    public var authenticationFailures = 3
    /// Commands answered 5yz since the last accepted message; with the last comes 421, and the connection is closed.
    public var errors = 20
    /// NOOP, RSET, VRFY, EHLO and HELO since the last accepted message; then 421, and the connection is closed.
    public var idleCommands = 100
    /// Bytes in a message; more is answered 552 at MAIL SIZE= or at the end of the content.
    public var messageBytes = 50 * 1024 * 1024
    /// Bytes in a text line without CRLF. RFC 5321 §4.5.3.1.6 obliges senders to stay within 998, and many do not. A
    /// line up to this limit is accepted unchanged, and a message with a longer one is answered 554 at its end.
    public var textLineBytes = 64 * 1024
    /// Received fields of a message; one with more is answered 554 5.4.6, for it goes in circles. RFC 5321 §6.3 asks for at least
    /// 100, "normally".
    public var receivedFields = 100
    /// Bytes read of a message beyond its limit of size; then 552, and the connection is closed. Also the largest chunk
    /// that is read and answered 503 where BDAT has no transaction; a larger one closes the connection.
    public var discardedMessageBytes = 16 * 1024 * 1024

    /// The defaults.
    public init() {}
}
