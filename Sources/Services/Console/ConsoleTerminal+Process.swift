import Foundation

extension TableStyle {
    /// As wide as the terminal; COLUMNS overrides what that says of itself. Elsewhere nothing is cut.
    package static func ofThisProcess(_ colour: ColourChoice) -> TableStyle {
        let environment = ProcessInfo.processInfo.environment
        let isTerminal = isatty(STDOUT_FILENO) == 1
        return TableStyle(
            width: isTerminal ? environment["COLUMNS"].flatMap { Int($0) } ?? Self.terminalWidth : nil,
            isColoured: colour.isColoured(isTerminal: isTerminal, environment: environment))
    }

    private static var terminalWidth: Int? {
        var size = winsize()
        // The kernel writes the structure, which lives on the stack for the whole call.
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}

extension ConsoleTerminal {
    /// Whether the terminal of this process shows more than ASCII, as its locale says.
    package static var isUnicode: Bool {
        let environment = ProcessInfo.processInfo.environment
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        return locale.lowercased().contains("utf-8") || locale.lowercased().contains("utf8")
    }

    /// Standard output for data, standard error for people; it asks only where somebody can read and answer.
    package static var ofThisProcess: ConsoleTerminal {
        let mayAsk = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
        return ConsoleTerminal(
            write: Self.writeOut, isShown: isatty(STDOUT_FILENO) == 1, say: Self.sayOut,
            confirm: mayAsk ? Self.askOut : nil)
    }

    @Sendable private static func writeOut(_ bytes: [UInt8]) throws(ConsoleFailure) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } catch {
            throw ConsoleFailure(.failed, "standard output: \(error.localizedDescription)")
        }
    }

    @Sendable private static func sayOut(_ line: String) { Self.tell("\(line)\n") }

    @Sendable private static func askOut(_ question: String) -> Bool {
        Self.tell(question)
        return ["y", "yes"].contains(readLine()?.lowercased())
    }

    /// Whoever closed standard error does not want to read it.
    private static func tell(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
