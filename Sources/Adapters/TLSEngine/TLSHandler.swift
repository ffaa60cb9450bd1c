public import NIOCore

/// TLS for one connection, added to the front of a pipeline at STARTTLS time.
///
/// It begins the handshake when it is added to an active channel (or when the channel becomes active), and fires the outcome as
/// a `TLSEvent`. No application byte passes in either direction before a good outcome: a write before it fails with
/// `TLSFailure`, a bad outcome closes the channel. The deadline of a handshake is the owner's to keep.
///
/// Bytes that were read before the handler was added and belong to TLS are given as `firstBytes`.
public final class TLSHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    /// The server's side of a connection.
    public static func server(
        _ store: ServerCertificateStore, firstBytes: ByteBuffer? = nil
    )
        throws(TLSConfigurationError) -> TLSHandler
    { fatalError() }

    /// The client's side of a connection.
    public static func client(
        _ context: TLSClientContext, _ requirement: TLSClientRequirement
    )
        throws(TLSConfigurationError) -> TLSHandler
    { fatalError() }

    init() {}
}

@available(*, unavailable)
extension TLSHandler: Sendable {}
