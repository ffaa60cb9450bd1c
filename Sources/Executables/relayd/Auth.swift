import ArgumentParser
import Cryptography
import Foundation

struct Auth: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prepare the file of users who may relay after AUTH.", subcommands: [Hash.self])

    struct Hash: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the line of one user for auth.users-file.",
            discussion: "The password is asked for on a terminal, or is the first line of standard input.")

        @Argument(help: "The name with which the user authenticates.")
        var user: String

        func validate() throws {
            guard (1...255).contains(self.user.utf8.count), !self.user.contains(":"), !self.user.hasPrefix("#"),
                self.user.allSatisfy({ !$0.isNewline && !$0.isWhitespace })
            else { throw ValidationError("A name has 1 to 255 bytes, no colon and no white space.") }
        }

        func run() throws {
            let password = Array(try Self.password().utf8)
            // AUTH PLAIN carries no more (RFC 4616 §2).
            guard (1...255).contains(password.count) else {
                throw ValidationError("A password has 1 to 255 bytes.")
            }
            print("\(self.user):\(try PasswordHash(of: password))")
        }

        private static func password() throws -> String {
            guard isatty(STDIN_FILENO) == 1 else { return readLine() ?? "" }
            guard let first = Self.typed("Password: "), Self.typed("Again: ") == first else {
                throw ValidationError("The passwords differ.")
            }
            return first
        }

        /// Reads from the terminal without showing what is typed.
        private static func typed(_ prompt: String) -> String? { getpass(prompt).map { String(cString: $0) } }
    }
}
