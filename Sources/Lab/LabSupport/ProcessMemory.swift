import Foundation
import Synchronization

/// What the kernel says of a process's memory and descriptors.
public enum ProcessMemory {
    /// Bytes in RAM.
    public static func resident(of process: Int32) throws(LabFailure) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { throw LabFailure("no VmRSS of \(process)") }
        return kibibytes * 1024
    }

    /// Open file descriptors.
    public static func descriptors(of process: Int32) throws(LabFailure) -> Int {
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd") else {
            throw LabFailure("no descriptors of \(process)")
        }
        return entries.count
    }

    /// Runs `body`, and gives beside its value the most bytes in RAM that were seen meanwhile, looking often.
    public static func peak<Value: Sendable>(
        of process: Int32, during body: () async throws -> Value
    ) async throws -> (value: Value, bytes: Int) {
        let most = Peak(try Self.resident(of: process))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled, let now = try? Self.resident(of: process) {
                    most.bytes.withLock { $0 = max($0, now) }
                    try? await Task.sleep(for: .milliseconds(10))
                }
            }
            let value = try await body()
            group.cancelAll()
            return (value, most.bytes.withLock { $0 })
        }
    }

    private final class Peak: Sendable {
        let bytes: Mutex<Int>
        init(_ bytes: Int) { self.bytes = Mutex(bytes) }
    }
}
