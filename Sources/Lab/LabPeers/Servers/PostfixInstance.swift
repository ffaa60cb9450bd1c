public import Foundation
import LabSupport

/// A private Postfix (Debian's) in a folder of its own: configuration, queue, data, mail and log, on loopback.
///
/// Its sending side reads `resolv.conf` through libc. A test chooses the resolver. So the whole instance runs in a
/// mount namespace in which `/etc/resolv.conf` is a file of ours that names a private validating resolver.
public final class PostfixInstance: MailServer {
    /// Why there can be no private Postfix here; a test skips with this as its reason.
    public enum Unavailable: Error, Hashable, Sendable, CustomStringConvertible {
        /// Its master process gives each service its own account, which takes root.
        case needsRoot
        /// Debian's package `postfix` is missing.
        case notInstalled
        /// A resolver of its own takes a mount namespace, and a container's root often may not make one.
        case needsMountNamespace

        public var description: String {
            switch self {
            case .needsRoot: "a private Postfix takes root, and this process is not root"
            case .notInstalled: "the Debian package postfix is not installed"
            case .needsMountNamespace: "a Postfix with its own resolver takes CAP_SYS_ADMIN, for a mount namespace"
            }
        }
    }

    /// Debian's folder of Postfix programs.
    static let programs = "/usr/lib/postfix/sbin"

    /// What stands in the way of running a Postfix, if anything.
    public static var unavailable: Unavailable? {
        guard FileManager.default.isExecutableFile(atPath: "\(Self.programs)/master") else { return .notInstalled }
        return geteuid() == 0 ? nil : .needsRoot
    }

    /// What stands in the way of running one that asks a resolver of its own.
    public static var unavailableWithResolver: Unavailable? {
        if let unavailable = Self.unavailable { return unavailable }
        return MountNamespace.isAllowed ? nil : .needsMountNamespace
    }

    /// Where it listens.
    public let address: String
    /// Its SMTP port.
    public let port: UInt16
    let folder: URL
    private let process: ChildProcess

    public var logFile: URL { self.folder.appending(path: "log/maillog") }
    public var inbox: URL { self.folder.appending(path: "mail/inbox/new") }

    /// Starts a Postfix below `directory`, which must exist, and waits until it answers.
    ///
    /// Throws `Unavailable` or `ChildProcess.Failure`.
    public static func start(
        _ configuration: PostfixConfiguration, in directory: URL
    ) async throws -> PostfixInstance {
        let hasOwnResolver = configuration.resolverAddress != nil
        if let unavailable = hasOwnResolver ? Self.unavailableWithResolver : Self.unavailable { throw unavailable }
        let port = configuration.port == 0 ? Ports.unused() : configuration.port
        try Self.lay(out: configuration, in: directory, port: port)
        let settings = directory.appending(path: "etc").path
        // This makes the queue's folders, with the owners that Postfix wants.
        try await ChildProcess.run("postfix", ["-c", settings, "check"])
        let process = try await Self.launchMaster(
            in: directory, hasOwnResolver: hasOwnResolver)
        let instance = PostfixInstance(
            address: configuration.address, port: port, folder: directory, process: process)
        try await process.ready(within: .seconds(10), "postfix") {
            !instance.logLines(containing: "daemon started").isEmpty
        }
        return instance
    }

    private init(address: String, port: UInt16, folder: URL, process: ChildProcess) {
        self.address = address
        self.port = port
        self.folder = folder
        self.process = process
    }

    /// The root of its process tree: a shell, with the master process and the services below it.
    public var processIdentifier: Int32 { self.process.processIdentifier }

    /// Ends it and its services.
    public func stop() async { await self.process.stop() }

    /// Starts the master process below a shell.
    ///
    /// The master switches accounts for a moment, at which the kernel forgets its parent-death signal; the shell keeps it,
    /// and passes a SIGTERM on.
    private static func launchMaster(
        in directory: URL, hasOwnResolver: Bool
    ) async throws(ChildProcess.Failure) -> ChildProcess {
        let settings = directory.appending(path: "etc").path
        let mount = hasOwnResolver ? #"mount --bind "$0/resolv.conf" /etc/resolv.conf || exit 1; "# : ""
        let script =
            mount + #"trap 'kill "$master"; wait "$master"; exit 0' TERM; "$1" -c "$0" -s & master=$!; wait "$master""#
        let shell = ["sh", "-c", script, settings, "\(Self.programs)/master"]
        let words = hasOwnResolver ? ["unshare", "--mount"] + shell : shell
        return try await ChildProcess(
            words[0], Array(words.dropFirst()), log: directory.appending(path: "log/console"))
    }

    private static func lay(out configuration: PostfixConfiguration, in directory: URL, port: UInt16) throws {
        let manager = FileManager.default
        // Postfix's services run under accounts of their own and must be able to pass through.
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.path)
        for name in ["etc", "spool", "data", "mail", "log"] {
            try manager.createDirectory(
                at: directory.appending(path: name), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        }
        try manager.setAttributes(
            [.ownerAccountName: "postfix"], ofItemAtPath: directory.appending(path: "data").path)
        try manager.setAttributes(
            [.ownerAccountID: NSNumber(value: PostfixConfiguration.mailOwner)],
            ofItemAtPath: directory.appending(path: "mail").path)
        var files = [
            "main.cf": configuration.mainFile(in: directory), "master.cf": configuration.masterFile(port: port),
        ]
        if let resolver = configuration.resolverAddress {
            files["resolv.conf"] = "nameserver \(resolver)\noptions trust-ad\n"
        }
        for (name, text) in files {
            try text.write(to: directory.appending(path: "etc/\(name)"), atomically: true, encoding: .utf8)
        }
    }
}
