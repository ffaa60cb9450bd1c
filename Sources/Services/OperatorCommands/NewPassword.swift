import Foundation

/// A password that somebody chooses for a user of AUTH: typed twice on a terminal, or the first line of standard input.
public enum NewPassword {
    /// Why there is none.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// What a name must be, for people.
    public static let userNameRule = "A name has 1 to 255 bytes, no colon and no white space."
    /// AUTH PLAIN carries no more (RFC 4616 §2).
    private static let bytes = 1...255

    /// Whether a user can have this name, in a file of users as well as in a cluster.
    public static func isUserName(_ text: String) -> Bool {
        Self.bytes.contains(text.utf8.count) && !text.contains(":") && !text.hasPrefix("#")
            && text.allSatisfy { !$0.isNewline && !$0.isWhitespace }
    }

    /// Reads it. A terminal does not show what is typed.
    public static func read() throws(Fault) -> [UInt8] {
        let password = Array(try Self.text().utf8)
        guard Self.bytes.contains(password.count) else { throw Fault(description: "A password has 1 to 255 bytes.") }
        return password
    }

    private static func text() throws(Fault) -> String {
        guard isatty(STDIN_FILENO) == 1 else { return readLine() ?? "" }
        guard let first = Self.typed("Password: "), Self.typed("Again: ") == first else {
            throw Fault(description: "The passwords differ.")
        }
        return first
    }

    private static func typed(_ prompt: String) -> String? { getpass(prompt).map { String(cString: $0) } }
}
