/// Why something could not be read, made or set up: a code for callers and tests, and a line for operators that names the fault.
public struct CodedError<Code: Hashable & Sendable>: Error, Hashable, CustomStringConvertible {
    /// What is wrong.
    public let code: Code
    /// One line for people.
    public let message: String

    /// An error with this code.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}
