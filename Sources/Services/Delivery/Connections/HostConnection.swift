import MailModel
import NIOCore
import SMTPProtocol
import ServiceSupport

/// An open connection to a receiving host, as messages use it. Confined to its event loop; one operation is under way at a time.
protocol HostConnection: AnyObject {
    /// Whether another message may be begun.
    var isReady: Bool { get }
    /// What the host offers and limits.
    var capabilities: SMTPServerCapabilities { get }
    /// Whether more content is of any use: not where the host has decided, or the connection failed.
    var takesContent: Bool { get }

    /// Offers the envelope.
    func begin(
        _ message: SMTPClientMessage, on eventLoop: any EventLoop
    ) -> EventLoopFuture<OutboundConnection.Begun>
    /// Asks whether the host takes a recipient; nothing is sent to it.
    func verify(
        _ recipient: ForwardPath, on eventLoop: any EventLoop
    ) -> EventLoopFuture<OutboundConnection.Begun>
    /// Writes content; done when the transport has taken it.
    func write(_ content: [UInt8], on eventLoop: any EventLoop) -> EventLoopFuture<Void>
    /// Writes the final dot if `isPermitted` says so in this same turn; else gives the connection up because of `refusal`.
    func finish(
        on eventLoop: any EventLoop, orBecause refusal: String, isPermitted: () -> Bool
    ) -> EventLoopFuture<OutboundConnection.Ended>
    /// Says goodbye where that is possible, and closes.
    func quit()
}

extension OutboundConnection: HostConnection {}
