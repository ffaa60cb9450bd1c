import Foundation
import LabSupport

/// A host as one mail server sees it: `/etc`, `/run` and `/var` are folders of the test's, with only what the server needs.
///
/// Mail servers have paths and account names compiled into them. In a mount namespace these can be anything, and the
/// machine's own files and accounts stay as they are.
struct PrivateHost {
    /// An account that exists on the private host only.
    struct Account {
        let name: String
        let id: Int
        let home: String
    }

    /// Owns stored mail; servers do not deliver as root.
    static let mailOwner = 65534

    /// Where all of it is.
    let folder: URL

    /// Makes the folders of a host below `folder`, which must exist.
    init(in folder: URL, accounts: [Account], resolverAddress: String) throws {
        self.folder = folder
        for path in ["", "etc/ssl/certs", "run/peer", "var/lib", "var/log", "var/spool", "var/tmp", "mail", "log"] {
            try self.makeFolder(path)
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder.appending(path: "var/run").path, withDestinationPath: "/run")
        for path in ["mail/new", "mail/tmp", "mail/cur"] { try self.makeFolder(path, owner: Self.mailOwner) }
        let all = [Account(name: "nobody", id: Self.mailOwner, home: "/var/tmp")] + accounts
        let users = all.map { "\($0.name):x:\($0.id):\($0.id)::\($0.home):/usr/sbin/nologin\n" }
        try self.write("root:x:0:0::/root:/bin/sh\n" + users.joined(), to: "etc/passwd")
        try self.write(
            "root:x:0:\nmail:x:8:\n" + all.map { "\($0.name):x:\($0.id):\n" }.joined(), to: "etc/group")
        try self.write("nameserver \(resolverAddress)\noptions trust-ad\n", to: "etc/resolv.conf")
        try self.write("127.0.0.1 localhost\n", to: "etc/hosts")
        try self.write("passwd: files\ngroup: files\nhosts: files dns\n", to: "etc/nsswitch.conf")
        for path in ["services", "protocols", "ld.so.cache", "ssl/openssl.cnf", "ssl/certs/ca-certificates.crt"] {
            // What is missing on the machine is missing here.
            try? FileManager.default.copyItem(
                at: URL(filePath: "/etc/\(path)"), to: folder.appending(path: "etc/\(path)"))
        }
    }

    /// A folder on the host; the account must be able to pass through those above it.
    func makeFolder(_ path: String, owner: Int = 0, mode: Int = 0o755) throws {
        try FileManager.default.createDirectory(
            at: self.folder.appending(path: path), withIntermediateDirectories: true)
        try FileManager.default.setAttributes(
            [.posixPermissions: mode, .ownerAccountID: owner, .groupOwnerAccountID: owner],
            ofItemAtPath: self.folder.appending(path: path).path)
    }

    /// Writes a file on the host.
    func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: self.folder.appending(path: path))
    }

    /// Starts a server that stays in the foreground; on the host its files are below `UnpackedPeer.home`.
    ///
    /// It switches accounts, at which the kernel forgets its parent-death signal; the shell above it keeps the signal and
    /// passes a SIGTERM on.
    func launch(_ peer: UnpackedPeer, _ arguments: [String]) async throws(ChildProcess.Failure) -> ChildProcess {
        let mounts =
            ["etc", "run", "var"].map { #""$0/\#($0)" /\#($0)"# }
            + [#""$1" \#(UnpackedPeer.home)"#] + (peer.hasHelpers ? [#""$1/libexec" /usr/libexec"#] : [])
        let script =
            mounts.map { "mount --bind \($0) || exit 1; " }.joined()
            + #"shift; trap 'kill "$server"; wait "$server"; exit 0' TERM; "$@" & server=$!; wait "$server""#
        let words = ["sh", "-c", script, self.folder.path, peer.folder.path, peer.program] + arguments
        return try await ChildProcess(
            "unshare", ["--mount"] + words, log: self.folder.appending(path: "log/console"))
    }
}
