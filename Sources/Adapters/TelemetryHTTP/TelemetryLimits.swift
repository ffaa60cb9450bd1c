import NIOCore

/// What one client, and all together, may have of the telemetry server. docs/limits.md has them with what happens there.
struct TelemetryLimits: Sendable {
    /// Of all header fields, and of each.
    var headerBytes = 16 * 1024
    var headerFields = 100
    /// All that a connection may send, its request included.
    var receivedBytes = 64 * 1024
    /// From accept to the last byte of the answer.
    var request: TimeAmount = .seconds(10)
    /// From the last byte of the answer to the end, for the client to read it.
    var lingering: TimeAmount = .seconds(1)
    /// Connections at once.
    var connections = 64
    /// Connections at once of one client: an IPv4 address, or an IPv6 network of 64 bits.
    var connectionsPerClient = 8
}
