public import Foundation
public import LabSupport

/// A private DNSSEC-signed Internet on loopback: one Knot server that is authoritative for the root, for `test.` and
/// for the zones of a test. It has delegations, DS records and a trust anchor for the root.
///
/// ```swift
/// let internet = try await SignedInternet.start(in: folder, zones: [
///     LabZone("alpha.test", [.mx("mx.alpha.test"), .a("mx.alpha.test", "127.0.0.2")]),
///     LabZone("plain.test", .unsigned, [.a("plain.test", "127.0.0.3")]),
/// ])
/// ```
/// The root and `test` come by themselves where they are not given. The server ends with this process.
public actor SignedInternet {
    /// The server's address.
    public nonisolated let address = "127.0.0.1"
    /// The server's port, over UDP and TCP.
    public nonisolated let port: UInt16
    /// The root's key as DS records in a file that a validating resolver reads.
    public nonisolated let trustAnchorFile: URL
    /// What a libunbound needs besides `address` and `port` as its one forwarder: option names and values.
    ///
    /// A forwarder, not a stub for the root: delegations name no ports, so whoever follows them arrives at port 53.
    public nonisolated let resolverOptions: [(name: String, value: String)] = [
        // By default it neither asks servers on loopback nor believes that there is a `test.` (RFC 6761).
        ("do-not-query-localhost", "no"), ("local-zone", "\"test.\" nodefault"),
        // Else its questions, of which thousands may be under way, would take the ports of other servers of the lab.
        ("outgoing-port-avoid", "\(Ports.range.lowerBound)-\(Ports.range.upperBound)"),
    ]

    private let files: KnotFiles
    private var zones: [LabZone]
    private var server: ChildProcess?

    private init(files: KnotFiles, zones: [LabZone]) {
        self.files = files
        self.port = files.port
        self.trustAnchorFile = files.trustAnchor
        self.zones = zones
    }

    /// Makes keys and zone files below `directory`, starts the server and waits until it serves every zone.
    ///
    /// - Parameters:
    ///   - directory: an existing folder, writable, with a path of at most 90 bytes (it will hold a Unix socket).
    public static func start(in directory: URL, zones: [LabZone]) async throws(ChildProcess.Failure) -> SignedInternet {
        guard directory.path.utf8.count <= 90 else {
            throw ChildProcess.Failure("\(directory.path) is too long for a Unix socket")
        }
        let files = KnotFiles(directory: directory, port: Ports.unused())
        var all = zones
        for name in ["test", "."] where !zones.contains(where: { $0.name == name }) { all.append(LabZone(name, [])) }
        try await files.create(all)
        let internet = SignedInternet(files: files, zones: all)
        try await internet.startServer()
        return internet
    }

    /// Replaces the records of a zone that exists (its condition stays) and returns when the server serves them.
    public func update(_ zone: String, _ records: [LabRecord]) async throws(ChildProcess.Failure) {
        guard let index = self.zones.firstIndex(where: { $0.name == zone }) else {
            throw ChildProcess.Failure("there is no zone \(zone)")
        }
        self.zones[index].records = records
        try await self.files.write(self.zones[index], among: self.zones)
        // `-b` makes it wait until the zone is loaded and signed.
        try await self.files.control(["-b", "zone-reload", LabRecord.absolute(zone)])
    }

    /// Ends the server; the names stop resolving until `startServer()`.
    public func stopServer() async {
        let server = self.server
        self.server = nil
        await server?.stop()
    }

    /// Starts the server again on the same port with the zones as they stand.
    public func startServer() async throws(ChildProcess.Failure) {
        guard self.server == nil else { return }
        let server = try await ChildProcess(
            "knotd", ["-c", self.files.configuration.path], workingDirectory: self.files.directory, log: self.files.log)
        self.server = server
        let files = self.files
        // It opens its control socket last, when every zone is loaded and signed.
        try await server.ready(within: .seconds(10), "knotd") { await files.isControllable() }
    }

    /// Suspends the server without closing its sockets: resolvers then meet silence, not refusal.
    public func pauseServer() async {
        guard let server = self.server else { return }
        server.signal(SIGSTOP)
        // No process can refuse it, but a thread that runs at the moment may answer a question before it stops.
        while server.isRunning, !Self.isSuspended(server.processIdentifier) {
            try? await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Whether no thread of a process runs.
    private static func isSuspended(_ process: Int32) -> Bool {
        let folder = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return threads.allSatisfy { thread in
            let status = try? String(contentsOfFile: "\(folder)/\(thread)/status", encoding: .utf8)
            return status?.contains("State:\tT") != false
        }
    }

    /// Lets a suspended server run on.
    public func resumeServer() { self.server?.signal(SIGCONT) }
}
