package import ArgumentParser
import ClusterModel
import ControlClient
import Cryptography
import Foundation
import MailModel
import OperatingSystem

/// Makes a context.
package struct Login: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Log in to a cluster: keep where its controllers are, and a credential.",
        discussion: """
            With --credential, the file is what `relay-controller init` or `recover` made. With --token-file, the token is \
            what `relayctl node token NAME --role viewer` (or admin) printed; the key is made here and never travels. The context is kept in \
            ~/.config/relayctl, closed to others, and counts from then on. Its credential renews itself at half life. Exit \
            codes: 0, 64 usage, 65 no credential or token, 69 no controller, 77 denied.
            """)

    @Option(name: .long, help: "The name of the context; that of the cluster unless given.")
    var context: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where a controller listens; may be given again. The port is 9926 unless given.", valueName: "host:port"))
    var controller: [ControllerAddress] = []

    @Option(name: .long, help: "The file with a credential.")
    var credential: String?

    @Option(name: .long, help: "The file with a join token for a person; - reads standard input.")
    var tokenFile: String?

    @Option(name: .long, help: "With a token, your name in the cluster; that of the login unless given.")
    var name: String?

    @Option(name: .long, help: "With a token, its role: viewer or admin.")
    var role = PersonRole.viewer

    @OptionGroup var output: QueueOutputOptions

    package init() {}

    package func validate() throws {
        guard !self.controller.isEmpty else { throw ValidationError("Say where a --controller listens.") }
        guard (self.credential == nil) != (self.tokenFile == nil) else {
            throw ValidationError("Give --credential or --token-file, and not both.")
        }
    }

    package func run() async throws {
        try await ClusterOptions.ending { () async throws(ConsoleFailure) in
            let request = LoginRequest(
                context: self.context, addresses: self.controller, proof: try self.proof())
            try await ClusterOptions.session(self.output.color).login(request, as: self.output.output)
        }
    }

    private func proof() throws(ConsoleFailure) -> LoginRequest.Proof {
        if let credential {
            do {
                return .credential(try ClusterCredential(file: credential))
            } catch {
                throw ConsoleFailure(.badData, error.message)
            }
        }
        let token = try TokenFile.read(self.tokenFile ?? "-")
        let name = self.name ?? ProcessInfo.processInfo.userName.lowercased()
        return .token(token, name: name, role: self.role.role)
    }
}

/// The roles of people.
enum PersonRole: String, CaseIterable, ExpressibleByArgument {
    case viewer, admin

    var role: ClusterRole { self == .admin ? .admin : .viewer }
}

extension ControllerAddress: ExpressibleByArgument {}

/// Where a join token comes from.
enum TokenFile {
    private static let maximumBytes = 4096

    /// Reads a token from a file; `-` is standard input.
    static func read(_ path: String) throws(ConsoleFailure) -> JoinToken {
        let text: String
        if path == "-" {
            text = readLine() ?? ""
        } else {
            do throws(BoundedFile.Fault) {
                text = String(
                    decoding: try BoundedFile.read(path, limit: Self.maximumBytes, isSecret: true).bytes, as: UTF8.self)
            } catch {
                throw ConsoleFailure(.badData, "\(path): \(error)")
            }
        }
        guard let token = JoinToken(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw ConsoleFailure(.badData, "\(path == "-" ? "standard input" : path) has no join token")
        }
        return token
    }
}
