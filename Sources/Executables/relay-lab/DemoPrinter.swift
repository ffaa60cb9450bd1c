import Foundation
import LabDNS
import LabRelay
import Synchronization

/// Prints the story on standard output: marks and times, with colour and signs as the terminal can show them.
struct DemoPrinter: Sendable {
    /// Whether signs outside ASCII can be shown.
    let isUnicode: Bool
    /// Whether marks are coloured.
    let isColoured: Bool
    /// Where whole lines go.
    let output: @Sendable (String) -> Void

    /// The column in which times end.
    private static let width = 96

    /// As the environment and the terminal say.
    static func forStandardOutput() -> DemoPrinter {
        let environment = ProcessInfo.processInfo.environment
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let isUnicode = ["UTF-8", "UTF8"].contains { locale.uppercased().hasSuffix($0) }
        let refusesColour = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        let isColoured = isatty(STDOUT_FILENO) == 1 && !refusesColour && environment["TERM"] != "dumb"
        return DemoPrinter(isUnicode: isUnicode, isColoured: isColoured) { line in
            // A reader that has gone (`| head`) must not keep the demo from ending in order.
            try? FileHandle.standardOutput.write(contentsOf: Data("\(line)\n".utf8))
        }
    }

    /// A heading.
    func title(_ text: String) { self.write("\(text)\n") }

    /// Something that is as it must be.
    func done(_ text: String, _ details: [String] = [], took duration: Duration? = nil) {
        self.item(mark: self.isUnicode ? "✔" : "ok", colour: 32, text, details, duration)
    }

    /// Something that went wrong.
    func failed(_ text: String, _ details: [String] = []) {
        self.item(mark: self.isUnicode ? "✖" : "FAILED", colour: 31, text, details, nil)
    }

    /// Text without a mark.
    func plain(_ text: String) { self.write(text) }

    private func item(mark: String, colour: Int, _ text: String, _ details: [String], _ duration: Duration?) {
        let sign = self.isColoured ? "\u{1B}[\(colour)m\(mark)\u{1B}[0m" : mark
        var line = text
        if let time = duration.map({ $0.shortText }) {
            let gap = Self.width - mark.count - 1 - self.shown(text).count - time.count
            line += String(repeating: " ", count: max(2, gap)) + time
        }
        self.write("\(sign) \(line)")
        for detail in details.flatMap({ self.wrapped($0) }) { self.write("    \(detail)") }
    }

    private func write(_ line: String) { self.output(self.shown(line)) }

    /// A detail in lines that fit, broken between words.
    private func wrapped(_ text: String) -> [String] {
        text.split(separator: " ").reduce(into: []) { lines, word in
            if let last = lines.last, last.count + word.count < Self.width - 4 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(lines.isEmpty ? "\(word)" : "  \(word)")
            }
        }
    }

    /// The text with signs that can be shown.
    private func shown(_ text: String) -> String {
        guard !self.isUnicode else { return text }
        let plain = ["→": "->", "…": "...", "·": "-"]
        return text.map { plain["\($0)"] ?? ($0.isASCII ? "\($0)" : "?") }.joined()
    }
}

extension Duration {
    /// Such as `38 ms` or `1.4 s`.
    var shortText: String {
        let milliseconds = self / .milliseconds(1)
        return milliseconds < 999.5
            ? "\(Int(milliseconds.rounded())) ms" : "\((milliseconds / 100).rounded() / 10) s"
    }
}

extension DemoPrinter {
    /// A step of the start.
    func show(_ step: LabRelayStep) {
        switch step {
        case .database(let version, let time):
            self.done("private PostgreSQL \(version) (unix socket, durable)", took: time)
        case .nameServers(let zones, let time):
            let names = (["root", "test"] + zones.map(\.demoLabel)).joined(separator: ", ")
            self.done("signed lab DNS on Knot", [names], took: time)
        case .peers(let count, let time): self.done("\(count) receiving mail servers", took: time)
        case .schema(let time): self.done("queue in PostgreSQL (relayd migrate)", took: time)
        case .controller(let time): self.done("relay-controller serves, and relayctl is logged in (mTLS)", took: time)
        case .relay(let time): self.done("relayd is ready", took: time)
        }
    }
}

extension LabZone {
    /// Its name, and what is special about it.
    fileprivate var demoLabel: String {
        switch self.condition {
        case .signed: self.name
        case .unsigned: "\(self.name) (unsigned)"
        case .wrongDelegationSigner: "\(self.name) (wrong DS record)"
        default: "\(self.name) (broken)"
        }
    }
}
