public import Foundation

/// The programs of this package. They are built into one folder, and tests, relay-lab and benchmarks with them.
public enum BuiltProgram {
    /// Where they are.
    public static var folder: URL { Self.running.deletingLastPathComponent() }

    /// A program by its name, such as `relayd`.
    public static func named(_ name: String) throws(LabFailure) -> URL {
        let program = Self.folder.appending(path: name)
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw LabFailure("there is no \(name) beside \(Self.running.path): build it with `swift build`")
        }
        return program
    }

    private static var running: URL { URL(filePath: "/proc/self/exe").resolvingSymlinksInPath() }
}
