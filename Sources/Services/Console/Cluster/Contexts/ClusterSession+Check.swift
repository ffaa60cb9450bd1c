import ClusterModel
import ControlClient
import Cryptography
import MailModel

extension ClusterSession {
    /// Checks a cluster from here, and writes what was found.
    ///
    /// - Parameters:
    ///   - program: the version of this program.
    ///   - isUnicode: the terminal shows more than ASCII.
    package func check(
        _ context: ClusterContext, program: String, as format: OutputFormat, isUnicode: Bool
    ) async throws(ConsoleFailure) {
        let certificate = context.credential.certificate.value
        let credential = CredentialFacts(
            identity: context.credential.identity.uri, notBefore: certificate.notBefore, notAfter: certificate.notAfter)
        var report = CheckReport()
        report.add("credential", credential.findings(at: self.time.date))
        let own = report.categories
        do throws(ConsoleFailure) {
            let facts = try await self.facts(context, program: program, format)
            report.categories = own + facts.report.categories
        } catch {
            let addresses = context.addresses.map { "\($0)" }.joined(separator: ", ")
            report.add(
                "controller",
                [.error("reachable", "\(error)", "is relay-controller running, and reachable at \(addresses)?")])
            try self.terminal.write(report.document, as: format) { report.lines(isUnicode: isUnicode) }
            throw error
        }
        try self.terminal.write(report, as: format, isUnicode: isUnicode)
    }

    private func facts(
        _ context: ClusterContext, program: String, _ format: OutputFormat
    ) async throws(ConsoleFailure) -> ClusterFacts {
        try await self.run(context) { client throws(ConsoleFailure) in
            try await ClusterConsole(client: client, format: format, terminal: self.terminal, time: self.time)
                .facts(program: program)
        }
    }
}
