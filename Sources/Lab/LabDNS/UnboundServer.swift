public import Foundation
public import LabSupport

/// A private validating resolver: Debian's `unbound` on a separate loopback address. It is for peers that trust the AD
/// bit of the name server in `resolv.conf`, as Postfix does.
///
/// `resolv.conf` has no place for a port, so the default is port 53, which takes root.
public final class UnboundServer: Sendable {
    /// Where it listens.
    public let address: String
    /// Its port, over UDP and TCP.
    public let port: UInt16
    private let process: ChildProcess

    /// Starts a resolver that validates from `trustAnchorFile` and asks `rootServer` for the root and all below it.
    ///
    /// - Parameters:
    ///   - directory: an existing folder for its files.
    ///   - options: further options of the `server:` section, such as `("cache-max-ttl", "1")`.
    public static func start(
        in directory: URL, rootServer: (address: String, port: UInt16), trustAnchorFile: URL, port: UInt16 = 53,
        options: [(name: String, value: String)] = []
    ) async throws(ChildProcess.Failure) -> UnboundServer {
        guard let address = LoopbackAddress.unused(port: port) else {
            throw ChildProcess.Failure("no loopback address with port \(port) free; ports below 1024 take root")
        }
        // Minimised names ask for NS records of each zone on the path. Those name servers have no port, so the resolver
        // would go on at port 53 instead of at the root server's.
        let server =
            [
                ("qname-minimisation", "no"), ("target-fetch-policy", "\"0 0 0 0 0\""),
                ("interface", address), ("port", "\(port)"), ("access-control", "127.0.0.0/8 allow"),
                ("do-ip6", "no"), ("do-daemonize", "no"), ("use-syslog", "no"), ("logfile", "\"\""),
                ("chroot", "\"\""), ("username", "\"\""), ("pidfile", "\"\""), ("directory", "\"\(directory.path)\""),
                ("module-config", "\"validator iterator\""), ("trust-anchor-file", "\"\(trustAnchorFile.path)\""),
                ("do-not-query-localhost", "no"), ("local-zone", "\"test.\" nodefault"), ("val-log-level", "2"),
            ] + options.map { ($0.name, $0.value) }
        let text =
            "server:\n" + server.map { "  \($0.0): \($0.1)\n" }.joined()
            + "remote-control:\n  control-enable: no\n"
            + "stub-zone:\n  name: \".\"\n  stub-addr: \(rootServer.address)@\(rootServer.port)\n"
        let file = directory.appending(path: "unbound.conf")
        do {
            try text.write(to: file, atomically: true, encoding: .utf8)
        } catch {
            throw ChildProcess.Failure("cannot write \(file.path): \(error)")
        }
        let process = try await ChildProcess(
            "unbound", ["-d", "-p", "-c", file.path], log: directory.appending(path: "unbound.log"))
        try await process.ready(within: .seconds(10), "unbound") {
            process.lastOutput().contains("start of service")
        }
        return UnboundServer(address: address, port: port, process: process)
    }

    private init(address: String, port: UInt16, process: ChildProcess) {
        self.address = address
        self.port = port
        self.process = process
    }

    /// The process id, for `/proc`.
    public var processIdentifier: Int32 { self.process.processIdentifier }

    /// Ends it.
    public func stop() async { await self.process.stop() }
}
