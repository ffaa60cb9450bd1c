/// Where a command reads and writes.
public struct ConsoleTerminal: Sendable {
    /// Writes data to standard output.
    public let write: @Sendable ([UInt8]) throws(ConsoleFailure) -> Void
    /// Standard output is a terminal, to which the content of mail must not speak.
    public let isShown: Bool
    /// How tables are written there.
    public var style = TableStyle()
    /// Writes a line for people to standard error.
    public let say: @Sendable (String) -> Void
    /// Asks a person to agree; `nil` where there is nobody to ask.
    public let confirm: (@Sendable (String) -> Bool)?

    /// A terminal of these parts.
    public init(
        write: @escaping @Sendable ([UInt8]) throws(ConsoleFailure) -> Void, isShown: Bool,
        say: @escaping @Sendable (String) -> Void,
        confirm: (@Sendable (String) -> Bool)?
    ) {
        self.write = write
        self.isShown = isShown
        self.say = say
        self.confirm = confirm
    }

    func print(_ line: String) throws(ConsoleFailure) { try self.write(Array("\(line)\n".utf8)) }
}
