import ArgumentParser
import ClusterModel
import ControlClient
import Foundation
import MailModel
import NIOPosix
import OperatingSystem

/// Enrols this machine, before relayd runs.
struct NodeEnroll: AsyncParsableCommand {
    /// Where relayd looks, unless control.state-directory names another folder.
    private static let usualDirectory = "/var/lib/relayd"

    static let configuration = CommandConfiguration(
        commandName: "enroll", abstract: "Enrol this machine as a node with a join token.",
        discussion: """
            It needs no context. The identity goes into relayd's control.state-directory, and relayd then follows the \
            controller by control.addresses alone, without control.join-token. As root it works as the owner of that folder. \
            It may be repeated: where there is a good identity it says so, and uses no token.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where a controller listens; may be given again. The port is 9926 unless given.", valueName: "host:port"))
    var controller: [ControllerAddress] = []

    @Option(name: .long, help: "The file with the join token; - reads standard input.")
    var tokenFile = "-"

    @Option(
        name: .long,
        help: ArgumentHelp("The node.name of relayd; the name of this host unless given.", valueName: "name"),
        transform: {
            guard let name = DomainName($0) else { throw ValidationError("\($0) is no host name.") }
            return name
        })
    var name: DomainName?

    @Option(name: .long, help: "The folder that is control.state-directory of relayd. It must exist.")
    var stateDirectory = Self.usualDirectory

    @OptionGroup var output: QueueOutputOptions

    func validate() throws {
        guard !self.controller.isEmpty else { throw ValidationError("Say where a --controller listens.") }
    }

    func run() async throws {
        try await ClusterOptions.ending { () async throws(ConsoleFailure) in
            guard let name = self.name ?? DomainName(ProcessInfo.processInfo.hostName) else {
                throw ConsoleFailure(.usage, "this host has no name that a node can have; give --name")
            }
            // Read before the owner of the folder is acted for, who may not read it.
            let token = try TokenFile.read(self.tokenFile)
            do throws(FolderOwner.Fault) {
                try FolderOwner.assume(self.stateDirectory)
            } catch {
                throw ConsoleFailure(.badData, error.description)
            }
            let addresses = self.controller.map(\.transport)
            let enrolment = NodeEnrolment(
                name, with: token, in: StateDirectory(self.stateDirectory), time: .system
            ) { proof in
                ControllerConnection(
                    addresses: addresses, proof, group: MultiThreadedEventLoopGroup.singleton, random: .system)
            }
            try self.tell(try await Self.outcome(of: enrolment))
        }
    }

    private static func outcome(of enrolment: NodeEnrolment) async throws(ConsoleFailure) -> NodeEnrolment.Outcome {
        do {
            return try await enrolment.run()
        } catch {
            throw ConsoleFailure(controller: error)
        }
    }

    private func tell(_ outcome: NodeEnrolment.Outcome) throws(ConsoleFailure) {
        let (credential, isNew): (ClusterCredential, Bool)
        switch outcome {
        case .enrolled(let made): (credential, isNew) = (made, true)
        case .alreadyEnrolled(let found): (credential, isNew) = (found, false)
        case .stuck(let reason): throw ConsoleFailure(.configuration, "\(self.stateDirectory): \(reason)")
        }
        let fields: [OutputValue.Field] = [
            .init("action", .text("enroll")), .init("changed", .bool(isNew)),
            .init("identity", .text(credential.identity.uri)), .init("state_directory", .text(self.stateDirectory)),
            .init("certificate_not_after", .text("\(credential.end)")),
        ]
        var terminal = ConsoleTerminal.ofThisProcess
        terminal.style = .ofThisProcess(self.output.color)
        try terminal.write(.document(fields), as: self.output.output) {
            [
                "\(isNew ? "enrolled" : "enrolled already"): \(credential.identity.uri), until \(credential.end), "
                    + "in \(self.stateDirectory)"
            ]
        }
    }
}
