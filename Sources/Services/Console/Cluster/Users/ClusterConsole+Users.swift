import ControlAPI
import Cryptography
import GRPCCore
import SwiftProtobuf

/// What is done to a user's password.
package enum UserChange: String, Hashable, Sendable {
    /// The user is new.
    case add
    /// The user is there, and gets another password.
    case passwd
}

extension ClusterConsole {
    /// Lists users that may relay after AUTH.
    package func listUsers() async throws(ConsoleFailure) {
        let users = try await self.allUsers()
        let records = users.map { user -> [OutputValue.Field] in
            [.init("user", .text(user.name)), .init("version", .number(Int(clamping: user.version)))]
        }
        try self.terminal.write(list: "users", records, as: self.format) {
            var table = TextTable("USER", "VERSION", style: self.terminal.style)
            return table.lines(users.map { [$0.name, "\($0.version)"] })
        }
    }

    /// Adds a user, or gives one another password. The hash is made here, so that no password travels.
    ///
    /// - Parameter password: read once it is clear that the change makes sense.
    package func setUser(
        _ name: String, _ action: UserChange, _ change: ClusterChange,
        password: () throws(ConsoleFailure) -> [UInt8]
    ) async throws(ConsoleFailure) {
        let before = try await self.version(ofUser: name)
        switch action {
        case .add where before > 0: throw .conflict("user \(name)", made: 0, current: before)
        case .passwd where before == 0: throw ConsoleFailure(.badData, "there is no user \(name)")
        case .add, .passwd: ()
        }
        let hash = try Self.hash(of: try password())
        let answer = try await self.change(
            [("user \(name)", before)], current: { _ throws(ConsoleFailure) in try await self.version(ofUser: name) }
        ) { options in
            try await self.users.setUser(
                .with {
                    $0.name = name
                    $0.passwordHash = hash
                    $0.baseVersion = before
                    $0.context = change.context
                }, options: options)
        }
        let words = action == .add ? "added user \(name)" : "changed the password of \(name)"
        try self.tell(action.rawValue, name, words, answer.stateVersion, change)
        try await self.wait(for: answer.stateVersion, change)
    }

    /// Removes a user.
    package func removeUser(_ name: String, _ change: ClusterChange) async throws(ConsoleFailure) {
        let before = try await self.version(ofUser: name)
        guard before > 0 else { throw ConsoleFailure(.badData, "there is no user \(name)") }
        try self.confirm("remove user \(name), who can send no mail from then on", "remove", change)
        let answer = try await self.change(
            [("user \(name)", before)], current: { _ throws(ConsoleFailure) in try await self.version(ofUser: name) }
        ) { options in
            try await self.users.removeUser(
                .with {
                    $0.name = name
                    $0.baseVersion = before
                    $0.context = change.context
                }, options: options)
        }
        try self.tell("remove", name, "removed user \(name)", answer.stateVersion, change)
        try await self.wait(for: answer.stateVersion, change)
    }

    private func tell(
        _ action: String, _ name: String, _ words: String, _ state: UInt64, _ change: ClusterChange
    ) throws(ConsoleFailure) {
        let fields =
            change.fields(action) + [
                .init("user", .text(name)), .init("state_version", .number(Int(clamping: state))),
            ]
        try self.write(.document(fields)) { [change.told(words)] }
    }

    private static func hash(of password: [UInt8]) throws(ConsoleFailure) -> String {
        do {
            return try PasswordHash(of: password).description
        } catch {
            throw ConsoleFailure(.failed, error.message)
        }
    }

    /// Zero if there is no such user.
    private func version(ofUser name: String) async throws(ConsoleFailure) -> UInt64 {
        try await self.allUsers().first { $0.name == name }?.version ?? 0
    }

    private func allUsers() async throws(ConsoleFailure) -> [ControlVersionedUser] {
        var users: [ControlVersionedUser] = []
        var token = ""
        repeat {
            let start = token
            let page = try await self.ask { options in
                try await self.users.listUsers(
                    .with {
                        $0.pageSize = Self.pageSize
                        $0.pageToken = start
                    }, options: options)
            }
            users += page.users
            token = page.nextPageToken
        } while !token.isEmpty
        return users
    }
}
