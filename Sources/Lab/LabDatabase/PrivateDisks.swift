import Foundation
import LabSupport

/// Two small disks that only a `PrivatePostgres` sees: one for its data, one for its write-ahead log. The test fills them.
///
/// They are file systems in memory, mounted in a mount namespace that lives as long as a process of ours does in it.
public struct PrivateDisks: Sendable {
    /// How large they are, in MiB. PostgreSQL itself takes about 40 of the data and 8 of the log.
    public struct Sizes: Hashable, Sendable {
        /// Of the disk of tables and indexes.
        public var data: Int
        /// Of the disk of the write-ahead log.
        public var log: Int

        /// Sizes in MiB.
        public init(data: Int = 96, log: Int = 48) {
            self.data = data
            self.log = log
        }
    }

    /// One of the two.
    public enum Disk: String, Sendable {
        case data = "data"
        case log = "wal"
    }

    /// Why there can be no such disks here; a test skips with this as its reason.
    public static var unavailable: String? {
        guard geteuid() == 0 else { return "a disk of a test's own takes root, and this process is not root" }
        return MountNamespace.isAllowed
            ? nil : "a disk of a test's own takes CAP_SYS_ADMIN, for a mount namespace"
    }

    private let directory: URL
    private let keeper: ChildProcess

    /// Mounts both in folders of `directory`, for this account.
    static func mount(_ sizes: Sizes, in directory: URL, owner: String?) async throws -> PrivateDisks {
        if let unavailable = Self.unavailable { throw LabFailure(unavailable) }
        guard let owner, let account = getpwnam(owner)?.pointee else { throw LabFailure("no account for PostgreSQL") }
        for disk in [Disk.data, .log] {
            try FileManager.default.createDirectory(
                at: directory.appending(path: disk.rawValue), withIntermediateDirectories: false)
        }
        let options = "mode=0700,uid=\(account.pw_uid),gid=\(account.pw_gid)"
        let script = """
            mount -t tmpfs -o "$1,size=\(sizes.data)m" none "$0/data" \
            && mount -t tmpfs -o "$1,size=\(sizes.log)m" none "$0/wal" && touch "$0/mounted" && exec sleep infinity
            """
        let keeper = try await ChildProcess(
            "unshare", ["--mount", "sh", "-c", script, directory.path, options],
            log: directory.appending(path: "disks"))
        try await keeper.ready(within: .seconds(20), "the disks") {
            FileManager.default.fileExists(atPath: directory.appending(path: "mounted").path)
        }
        return PrivateDisks(directory: directory, keeper: keeper)
    }

    /// The words that run a program where the disks are, as this user.
    func command(_ words: [String], user: String?) -> [String] {
        let account = user.map { ["--reuid", $0, "--regid", $0, "--init-groups"] } ?? []
        // The kernel forgets the signal for an orphan when the account changes, so it is set again behind that.
        return ["nsenter", "--mount=/proc/\(self.keeper.processIdentifier)/ns/mnt", "setpriv", "--pdeathsig", "TERM"]
            + account + ["--"] + words
    }

    /// For `initdb`: the log on its own disk, in segments that are small beside it.
    var initialSettings: [String] { ["--waldir", self.directory.appending(path: "wal").path, "--wal-segsize=1"] }

    /// For the server: the log is kept small, since its disk is.
    var settings: [String] { ["max_wal_size=16MB", "min_wal_size=2MB"] }

    /// Ends the keeper, and with it the disks.
    func unmount() async { await self.keeper.stop() }

    // MARK: Filling

    /// Takes all the space that is left, as if other files had grown.
    public func fill(_ disk: Disk) throws {
        _ = FileManager.default.createFile(atPath: self.filler(on: disk), contents: nil)
        let file = try FileHandle(forWritingTo: URL(filePath: self.filler(on: disk)))
        defer { try? file.close() }
        // The last pieces are small, so that not a page is left.
        for size in [1 << 20, 1 << 12] {
            let zeros = Data(count: size)
            while (try? file.write(contentsOf: zeros)) != nil {}
        }
    }

    /// Gives the space back.
    public func free(_ disk: Disk) throws { try FileManager.default.removeItem(atPath: self.filler(on: disk)) }

    /// Through the keeper's view of the file system, where the disks are.
    private func filler(on disk: Disk) -> String {
        "/proc/\(self.keeper.processIdentifier)/root\(self.directory.appending(path: disk.rawValue).path)/filler"
    }
}

extension Optional {
    /// `map` with a body that takes its time.
    func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async throws -> Value? {
        guard let value = self else { return nil }
        return try await body(value)
    }
}
