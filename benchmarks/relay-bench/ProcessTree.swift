import Foundation
import LabSupport

/// What a process and all below it have used, from `/proc`.
enum ProcessTree {
    /// User and system time of the whole tree, the processes that have ended included: a parent that waits for a child
    /// takes over its time.
    static func processorTime(of root: Int32) throws -> Duration {
        guard let own = Self.ticks(of: root) else { throw LabFailure("process \(root) is gone") }
        let below = Self.descendants(of: root).compactMap { Self.ticks(of: $0) }.reduce(0, +)
        return .milliseconds((own + below) * 1000 / Self.ticksPerSecond)
    }

    /// Resident memory of the whole tree in bytes; a page that several share counts once among them.
    static func memory(of root: Int32) -> Int {
        ([root] + Self.descendants(of: root)).reduce(0) { sum, process in
            let text = Self.read("/proc/\(process)/smaps_rollup")
            let line = text?.split(separator: "\n").first { $0.hasPrefix("Pss:") }
            return sum + (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
        }
    }

    private static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))

    private static func descendants(of root: Int32) -> [Int32] {
        let children = Dictionary(grouping: Self.allProcesses) { Self.parent(of: $0) ?? 0 }
        var found: [Int32] = []
        var pending = [root]
        while let process = pending.popLast() {
            let below = children[process] ?? []
            found += below
            pending += below
        }
        return found
    }

    private static var allProcesses: [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
    }

    private static func parent(of process: Int32) -> Int32? {
        Self.fields(of: process).flatMap { $0.count > 1 ? Int32($0[1]) : nil }
    }

    /// utime, stime, cutime and cstime (proc(5)).
    private static func ticks(of process: Int32) -> Int? {
        Self.fields(of: process).flatMap { fields in
            fields.count > 14 ? fields[11...14].reduce(0) { $0 + (Int($1) ?? 0) } : nil
        }
    }

    /// The fields of `/proc/PID/stat` from the third, the state, on. The second is a name, in which anything may stand.
    private static func fields(of process: Int32) -> [Substring]? {
        guard let text = Self.read("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
