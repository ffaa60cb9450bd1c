import Foundation
import OperatingSystem

/// A text file that a setting names: read whole, within bounds, and with the number of each line for what is wrong in it.
enum SettingsFile {
    /// A line that is neither empty nor a comment, without white space around it.
    struct Line: Hashable {
        let number: Int
        let text: String

        func fault(_ message: String) -> Fault { Fault(line: self.number, message: message) }
    }

    /// One thing that is wrong; without a line where it is the file itself.
    struct Fault: Error, Hashable, CustomStringConvertible {
        let line: Int?
        let message: String

        var description: String { self.line.map { "line \($0): \(self.message)" } ?? self.message }
    }

    /// Everything that is wrong, at least one thing.
    struct Faults: Error {
        let all: [Fault]
    }

    /// The most bytes of a file.
    static let maximumBytes = 64 << 20

    /// Reads what a file says. One that is secret must not be open to others than owner and group.
    static func read<Content: SettingsFileContent>(
        _ path: String, isSecret: Bool = false, as: Content.Type
    ) -> Result<Content, Faults> {
        self.text(of: path, isSecret: isSecret).mapError { Faults(all: [$0]) }.flatMap {
            Content.read(self.lines(of: $0))
        }
    }

    static func lines(of text: String) -> [Line] {
        // By scalars, because CR LF is one character.
        text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            let text = String(line).trimmingCharacters(in: .whitespacesAndNewlines)
            return text.isEmpty || text.hasPrefix("#") ? nil : Line(number: index + 1, text: text)
        }
    }

    private static func text(of path: String, isSecret: Bool) -> Result<String, Fault> {
        do throws(BoundedFile.Fault) {
            let content = try BoundedFile.read(path, limit: self.maximumBytes, isSecret: isSecret)
            guard let text = String(validating: content.bytes, as: UTF8.self) else {
                return .failure(Fault(line: nil, message: "is not UTF-8 text"))
            }
            return .success(text)
        } catch {
            return .failure(Fault(line: nil, message: error.description))
        }
    }
}

/// What the lines of a file come to.
protocol SettingsFileContent {
    static func read(_ lines: [SettingsFile.Line]) -> Result<Self, SettingsFile.Faults>
}
