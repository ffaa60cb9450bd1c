import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// Hummingbird's HTTP/1.1 behind the limits of the telemetry server.
struct GuardedHTTPChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let limits: TelemetryLimits
    private let connections: TelemetryConnections
    private let http: HTTP1Channel

    init(limits: TelemetryLimits, responder: @escaping HTTPChannelHandler.Responder) {
        self.limits = limits
        self.connections = TelemetryConnections(limits: limits)
        self.http = HTTP1Channel(
            responder: responder,
            configuration: .init(
                additionalChannelHandlers: [HeaderOverflowHandler(), RequestGate()],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                    maxHeaderFieldCount: limits.headerFields)))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let id = self.connections.admit(channel)
        let connections = self.connections
        let handler = ConnectionGuard(limits: self.limits) { connections.answered(id) }
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        return self.http.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async { await self.http.handle(value: value, logger: logger) }
}
