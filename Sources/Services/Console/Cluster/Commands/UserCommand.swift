package import ArgumentParser
import OperatorCommands

/// The users that may relay after AUTH.
package struct User: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "user", abstract: "List and change the users that may relay after AUTH.",
        discussion: """
            A password is asked for on a terminal, or is the first line of standard input. Its hash is made here, so that \
            no password travels; nobody is shown a hash. Exit codes: 0, 1 failed, 64 usage, 65 no such user, or there \
            already, 69 no controller, 75 try again or not served in time, 77 denied, 78 no context.
            """,
        subcommands: [UserAdd.self, UserPasswd.self, UserRemove.self, UserList.self])

    package init() {}
}

/// The options of what changes a user.
struct UserChangeOptions: ParsableArguments {
    @Argument(help: "The name with which the user authenticates.") var name: String
    @OptionGroup var change: ClusterChangeOptions
    @OptionGroup var waiting: ClusterWaitOptions
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func validate() throws {
        guard NewPassword.isUserName(self.name) else { throw ValidationError(NewPassword.userNameRule) }
    }

    var wanted: ClusterChange {
        var change = self.change.change
        change.wait = self.waiting.time
        return change
    }

    func set(_ action: UserChange) async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in
            try await console.setUser(self.name, action, self.wanted) { () throws(ConsoleFailure) in
                do throws(NewPassword.Fault) {
                    return try NewPassword.read()
                } catch {
                    throw ConsoleFailure(.usage, error.description)
                }
            }
        }
    }
}

struct UserAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Add a user with a password.")
    @OptionGroup var options: UserChangeOptions
    func run() async throws { try await self.options.set(.add) }
}

struct UserPasswd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "passwd", abstract: "Give a user another password.")
    @OptionGroup var options: UserChangeOptions
    func run() async throws { try await self.options.set(.passwd) }
}

struct UserRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "remove", abstract: "Remove a user.")
    @Flag(name: .long, help: "Do not ask.") var yes = false
    @OptionGroup var options: UserChangeOptions

    func run() async throws {
        var change = self.options.wanted
        change.isConfirmed = self.yes
        try await self.options.cluster.run(self.options.output) { [change] console throws(ConsoleFailure) in
            try await console.removeUser(self.options.name, change)
        }
    }
}

struct UserList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List users.")
    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var output: QueueOutputOptions

    func run() async throws {
        try await self.cluster.run(self.output) { console throws(ConsoleFailure) in try await console.listUsers() }
    }
}
