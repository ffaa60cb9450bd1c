public import Logging

extension Logger {
    /// Says nothing: what fails is thrown.
    public static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
}
