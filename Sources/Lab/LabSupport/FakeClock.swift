public import Foundation

/// The wall clock of child processes, so far ahead of this machine's or behind it; it may be set anew while they run.
///
/// ```swift
/// let clock = try FakeClock(in: folder, ahead: .seconds(86_400))
/// options.environment = clock.environment
/// …
/// try clock.set(ahead: .zero)
/// ```
/// A library that is loaded before the others answers for the clock (`Tests/FakeClock`). Clocks that count from the start
/// of the machine, which deadlines go by, and the times of files stay as they are.
public struct FakeClock: Sendable {
    /// What a child process needs in its environment to go by this clock. Its user must be able to read in the folder.
    public let environment: [String: String]
    private let file: URL

    /// A clock whose state is a file in `folder`.
    public init(in folder: URL, ahead offset: Duration = .zero) throws(LabFailure) {
        let library = BuiltProgram.folder.appending(path: "libFakeClock.so")
        guard FileManager.default.isReadableFile(atPath: library.path) else {
            throw LabFailure("there is no \(library.path): build it with `swift build --build-tests`")
        }
        self.file = folder.appending(path: "clock-\(UUID().uuidString)")
        // A copy beside the state, by which it finds that; for users who may not read where this program was built.
        let copy = self.file.appendingPathExtension("so")
        self.environment = ["LD_PRELOAD": copy.path]
        do {
            for (contents, file) in [(try Data(contentsOf: library), copy), (Data(count: 8), self.file)] {
                try contents.write(to: file)
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
            }
        } catch {
            throw LabFailure("cannot write \(self.file.path): \(error)")
        }
        try self.set(ahead: offset)
    }

    /// Sets the clock so far ahead of this machine's, or behind it by a negative offset, in whole seconds. Holds at once.
    public func set(ahead offset: Duration) throws(LabFailure) {
        do {
            // In place, since the children have the file in their memory.
            let handle = try FileHandle(forUpdating: self.file)
            try handle.write(contentsOf: withUnsafeBytes(of: offset.components.seconds) { Data($0) })
            try handle.close()
        } catch {
            throw LabFailure("cannot write \(self.file.path): \(error)")
        }
    }
}
