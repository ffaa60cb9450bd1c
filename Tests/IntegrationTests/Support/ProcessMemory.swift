import Foundation
import Lab

/// What the kernel says of a process's memory.
enum ProcessMemory {
    /// Bytes in RAM.
    static func resident(of process: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { throw LabFailure("no VmRSS of \(process)") }
        return kibibytes * 1024
    }
}
