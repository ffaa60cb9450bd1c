package import NIOCore

/// A stream's number in HTTP/2.
package typealias HTTP2StreamID = Int32

/// What a session tells of its peer, in the order in which it happened.
package enum HTTP2Event: Hashable {
    /// A header section came whole: of a request, of a response, or trailers.
    case headers(HTTP2StreamID, HeaderList, endStream: Bool)
    /// A header section beyond the limit came; its fields were dropped.
    case oversizedHeaders(HTTP2StreamID, endStream: Bool)
    /// Bytes of a stream; each is to be consumed, for its stream and for the connection.
    case data(HTTP2StreamID, ByteBuffer)
    /// The peer ended its side of a stream by DATA.
    case endStream(HTTP2StreamID)
    /// A stream is over, and the session knows it no more.
    case closed(HTTP2StreamID, HTTP2ErrorCode)
    /// So many bytes of a stream's body are on their way.
    case sent(HTTP2StreamID, bytes: Int)
    /// The peer takes no streams above this one any more.
    case goAway(lastStream: HTTP2StreamID, HTTP2ErrorCode, message: String)
    /// The peer's settings came.
    case settings
    /// The peer asked for a sign of life; the answer is made already.
    case ping
    /// The peer acknowledged a ping of ours.
    case pingAcknowledged(UInt64)
}

/// Why a session takes no more bytes. A GOAWAY is queued.
package enum HTTP2Failure: Error, Hashable {
    /// The peer overdrew a budget (control 24).
    case abuse(AbuseKind)
    /// What came is not HTTP/2, in the library's words.
    case violation(String)
}
