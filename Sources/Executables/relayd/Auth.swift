import ArgumentParser
import Cryptography
import OperatorCommands

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
            guard NewPassword.isUserName(self.user) else { throw ValidationError(NewPassword.userNameRule) }
        }

        func run() throws {
            let password: [UInt8]
            do throws(NewPassword.Fault) {
                password = try NewPassword.read()
            } catch {
                throw ValidationError(error.description)
            }
            print("\(self.user):\(try PasswordHash(of: password))")
        }
    }
}
