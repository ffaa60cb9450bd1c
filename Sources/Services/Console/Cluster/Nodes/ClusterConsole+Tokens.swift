package import ClusterModel
import ControlAPI
import MailModel
import SwiftProtobuf

/// A join token that is to be made.
package struct TokenRequest: Hashable, Sendable {
    /// The name that may be taken, or a pattern with one `*`.
    package var pattern: String
    /// Whom it makes a member.
    package var role: ClusterRole
    /// How long it can be used; as the controller has it without.
    package var lifetime: Duration?
    /// How many can use it.
    package var uses: UInt32

    package init(pattern: String, role: ClusterRole, lifetime: Duration?, uses: UInt32) {
        self.pattern = pattern
        self.role = role
        self.lifetime = lifetime
        self.uses = uses
    }
}

extension ClusterConsole {
    /// Makes a join token, and writes it: for people nothing else goes to standard output.
    package func makeToken(_ wanted: TokenRequest, _ change: ClusterChange) async throws(ConsoleFailure) {
        guard NamePattern(wanted.pattern) != nil else {
            throw ConsoleFailure(.usage, "\(wanted.pattern) is no name, nor a pattern with one *")
        }
        let answer = try await self.ask { options in
            try await self.fleet.createJoinToken(
                .with {
                    $0.nodePattern = wanted.pattern
                    $0.role = ControlRole(wanted.role)
                    $0.uses = wanted.uses
                    if let lifetime = wanted.lifetime { $0.lifetime = Google_Protobuf_Duration(lifetime) }
                    $0.context = change.context
                }, options: options)
        }
        let end = Timestamp(answer.expiry)
        let fields =
            change.fields("token") + [
                .init("token", .optional(answer.token.isEmpty ? nil : answer.token)),
                .init("name", .text(wanted.pattern)),
                .init("role", .text(wanted.role.rawValue)), .init("uses", .number(Int(wanted.uses))),
                .init("expires", .text("\(end)")),
            ]
        try self.write(.document(fields)) { answer.token.isEmpty ? [] : [answer.token] }
        let who = wanted.role == .node ? "node" : wanted.role.rawValue
        self.terminal.say(
            change.told("made a token for \(Int(wanted.uses).words(who)) named \(wanted.pattern), until \(end)"))
    }
}
