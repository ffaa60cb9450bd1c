public import Foundation

/// The one folder in which a lab keeps all its files.
public struct LabFolder: Sendable {
    /// Where it is.
    public let url: URL
    /// Whether it stays when the lab ends.
    public let isKept: Bool

    /// In longer paths the name of a Unix socket below them does not fit (107 bytes in all).
    static let maximumPathLength = 60

    /// A new folder that is removed in the end, below the folder for temporary files.
    public static func temporary() throws(LabFailure) -> LabFolder {
        // Not TMPDIR, whose path may be long.
        try LabFolder(
            URL(filePath: "/tmp/relay-lab-\(String(UInt64.random(in: .min ... .max), radix: 36))"), isKept: false)
    }

    /// A folder that stays; it must not exist yet, or be empty.
    public static func kept(_ path: String) throws(LabFailure) -> LabFolder {
        try LabFolder(URL(filePath: path).absoluteURL.standardizedFileURL, isKept: true)
    }

    private init(_ url: URL, isKept: Bool) throws(LabFailure) {
        guard url.path.utf8.count <= Self.maximumPathLength else {
            throw LabFailure("\(url.path): the path is too long, at most \(Self.maximumPathLength) bytes")
        }
        self.url = url
        self.isKept = isKept
        let manager = FileManager.default
        do {
            // PostgreSQL's own account must get through to its folder within; keys and data have folders of mode 0700.
            try manager.createDirectory(
                at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
            guard try manager.contentsOfDirectory(atPath: url.path).isEmpty else {
                throw LabFailure("\(url.path) is not empty")
            }
        } catch let failure as LabFailure {
            throw failure
        } catch {
            throw LabFailure("cannot use the folder \(url.path): \(error.localizedDescription)")
        }
    }

    /// A new folder within, for this user only.
    public func makeFolder(_ name: String) throws(LabFailure) -> URL {
        let url = self.url.appending(path: name)
        do {
            try FileManager.default.createDirectory(
                at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        } catch {
            throw LabFailure("cannot make the folder \(url.path): \(error.localizedDescription)")
        }
        return url
    }

    /// Writes a file for this user only.
    @discardableResult
    public func write(_ text: String, to name: String) throws(LabFailure) -> URL {
        let url = self.url.appending(path: name)
        guard
            FileManager.default.createFile(
                atPath: url.path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw LabFailure("cannot write \(url.path)") }
        return url
    }

    /// Removes it, unless it is kept.
    public func remove() {
        if !self.isKept { try? FileManager.default.removeItem(at: self.url) }
    }
}

/// Why a part of the lab could not do its work, in one line for people.
public typealias LabFailure = ChildProcess.Failure
