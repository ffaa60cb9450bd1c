public import Foundation

/// The wall clock of child processes, so far ahead of this machine's or behind it; it may be set anew while they run.
///
/// ```swift
/// let clock = try FakeClock(in: folder, ahead: .seconds(86_400))
/// options.environment = clock.environment
/// …
/// try clock.set(ahead: .zero)
/// ```
/// libfaketime does it, which answers for the clock in place of libc. Clocks that count from the start of the machine,
/// which deadlines go by, and the times of files stay as they are.
public struct FakeClock: Sendable {
    /// What a child process needs in its environment to go by this clock.
    public let environment: [String: String]
    private let file: URL

    /// A clock whose state is a file in `folder`.
    public init(in folder: URL, ahead offset: Duration = .zero) throws(LabFailure) {
        guard let library = Self.library else {
            throw LabFailure("libfaketime is not installed: apt-get install faketime")
        }
        self.file = folder.appending(path: "clock-\(UUID().uuidString)")
        self.environment = [
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": self.file.path,
            // The file is read for every look at the clock, so that a new offset holds at once.
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        ]
        try self.set(ahead: offset)
    }

    /// Sets the clock so far ahead of this machine's, or behind it by a negative offset, in whole seconds.
    public func set(ahead offset: Duration) throws(LabFailure) {
        let seconds = offset.components.seconds
        do {
            // Atomically: a child that read half of it would go by another time.
            try Data("\(seconds < 0 ? "" : "+")\(seconds)\n".utf8).write(to: self.file, options: .atomic)
        } catch {
            throw LabFailure("cannot write \(self.file.path): \(error)")
        }
    }

    /// The form for programs with several threads, where Debian has it on this machine's architecture.
    private static var library: String? {
        let libraries = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        return libraries.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.isReadableFile(atPath: $0) }
    }
}
