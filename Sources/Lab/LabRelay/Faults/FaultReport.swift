import Foundation
import Glibc
import LabSupport

/// What came of one fault: a row of the table that `ops/faults` ends with.
public struct FaultReport: Hashable, Sendable, Codable {
    /// The fault, in a few words.
    public let fault: String
    /// How often it was staged.
    public let runs: Int
    /// Messages that were answered 250.
    public let acknowledged: Int
    /// Those among them that never arrived.
    public let lost: Int
    /// Second copies that arrived.
    public let duplicated: Int
    /// Those among them that belong to an attempt without an outcome.
    public let explained: Int
    /// The longest time from the end of the fault to the next 250, in milliseconds; `nil` where the relay took mail throughout.
    public let acceptsAgainMilliseconds: Int?

    /// A row. `acceptsAgain` counts from the end of the fault to the next 250, the longest of all runs.
    public init(_ fault: String, runs: Int, _ verdict: FaultVerdict, acceptsAgain: Duration? = nil) {
        self.fault = fault
        self.runs = runs
        self.acknowledged = verdict.acknowledged
        self.lost = verdict.lost.count
        self.duplicated = verdict.copies
        self.explained = verdict.copies - verdict.unexplained.count
        self.acceptsAgainMilliseconds = acceptsAgain.map { Int($0 / .milliseconds(1)) }
    }

    /// The row in words.
    public var text: String {
        let time = self.acceptsAgainMilliseconds.map { ", accepting again after \($0) ms at the latest" } ?? ""
        return "\(self.fault): \(self.runs) runs, \(self.acknowledged) acknowledged, \(self.lost) lost, "
            + "\(self.duplicated) duplicated, \(self.explained) of these explained\(time)"
    }

    /// Prints the row, and appends it, one line of JSON, to the file that `RELAY_FAULT_REPORT` names.
    public func publish() throws {
        print(self.text)
        guard let path = ProcessInfo.processInfo.environment["RELAY_FAULT_REPORT"], !path.isEmpty else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let line = Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
        // Tests run side by side: a line that is appended with one write is not mixed with others.
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw LabFailure("cannot open \(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        guard write(file, line, line.count) == line.count else { throw LabFailure("cannot write \(path)") }
    }
}
