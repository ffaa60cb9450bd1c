public import MailModel

/// The commands of `relayctl queue`: asks the queue, and writes what it says for people or for programs.
public struct QueueConsole: Sendable {
    let queue: any QueueOperations
    let terminal: ConsoleTerminal
    let format: OutputFormat
    let time: any NodeClock

    /// A console.
    ///
    /// - Parameter time: by which it tells of progress.
    public init(
        queue: any QueueOperations, format: OutputFormat, terminal: ConsoleTerminal, time: any NodeClock
    ) {
        self.queue = queue
        self.format = format
        self.terminal = terminal
        self.time = time
    }

    /// Writes one document, or lines for people.
    func write(_ document: OutputValue, table: () -> [String]) throws(ConsoleFailure) {
        try self.terminal.write(document, as: self.format, table: table)
    }
}
