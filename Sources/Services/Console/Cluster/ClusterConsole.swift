import ControlAPI
package import GRPCCore
package import GRPCTransport
package import MailModel
import SwiftProtobuf

/// The commands that go through a controller: asks it, and writes what it says for people or for programs.
package struct ClusterConsole: Sendable {
    /// The time that a controller has for one answer.
    static let patience = Duration.seconds(30)
    /// The most that a page of a list has.
    static let pageSize: UInt32 = 1000

    let client: GRPCClient<GRPCClientTransport>
    let format: OutputFormat
    let terminal: ConsoleTerminal
    let time: any NodeClock
    /// Renews the credential in the midst of a command, where that is due.
    let renewal: CredentialRenewal?

    /// A console on a client that is connected.
    ///
    /// - Parameter time: by which it waits, and by which ages are reckoned.
    package init(
        client: GRPCClient<GRPCClientTransport>, format: OutputFormat, terminal: ConsoleTerminal,
        time: any NodeClock
    ) {
        self.init(client: client, format: format, terminal: terminal, time: time, renewal: nil)
    }

    init(
        client: GRPCClient<GRPCClientTransport>, format: OutputFormat, terminal: ConsoleTerminal,
        time: any NodeClock, renewal: CredentialRenewal?
    ) {
        self.renewal = renewal
        self.client = client
        self.format = format
        self.terminal = terminal
        self.time = time
    }

    var domains: ControlDomainService.Client<GRPCClientTransport> { .init(wrapping: self.client) }
    var certificates: ControlCertificateService.Client<GRPCClientTransport> { .init(wrapping: self.client) }
    var users: ControlUserService.Client<GRPCClientTransport> { .init(wrapping: self.client) }
    var fleet: ControlFleetService.Client<GRPCClientTransport> { .init(wrapping: self.client) }
    var cluster: ControlClusterService.Client<GRPCClientTransport> { .init(wrapping: self.client) }

    /// Asks the controller, and tells its failure as the program does.
    func ask<Answer: Sendable>(
        _ body: (CallOptions) async throws -> Answer
    ) async throws(ConsoleFailure) -> Answer {
        var options = CallOptions.defaults
        options.timeout = Self.patience
        do {
            return try await body(options)
        } catch {
            throw ConsoleFailure(controller: error)
        }
    }

    /// Writes one document, or lines for people.
    func write(_ document: OutputValue, table: () -> [String]) throws(ConsoleFailure) {
        try self.terminal.write(document, as: self.format, table: table)
    }

    /// Makes sure that what cannot be undone is meant.
    func confirm(_ question: String, _ name: String, _ change: ClusterChange) throws(ConsoleFailure) {
        guard !change.isConfirmed, !change.isDryRun else { return }
        guard let ask = self.terminal.confirm else {
            throw ConsoleFailure(.usage, "\(name) needs --yes where there is no terminal to ask on")
        }
        guard ask("\(question)? [y/N] ") else { throw ConsoleFailure(.failed, "nothing was done") }
    }
}

/// What a change says of itself, and what is done after it.
package struct ClusterChange: Hashable, Sendable {
    /// Why, for the audit.
    package var reason = ""
    /// Everything is checked, and nothing is changed.
    package var isDryRun = false
    /// It is confirmed already.
    package var isConfirmed = false
    /// How long to wait until every connected node serves by it; not at all without.
    package var wait: Duration?

    /// A change without a reason.
    package init() {}

    var context: ControlChangeContext {
        .with {
            $0.reason = self.reason
            $0.dryRun = self.isDryRun
        }
    }

    /// What a document tells of it.
    func fields(_ action: String) -> [OutputValue.Field] {
        [.init("action", .text(action)), .init("dry_run", .bool(self.isDryRun))]
    }

    /// Such as `added alpha.test`, or `would have added alpha.test`.
    func told(_ words: String) -> String { self.isDryRun ? "would have \(words)" : words }
}
