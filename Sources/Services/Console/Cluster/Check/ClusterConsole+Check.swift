import ControlAPI
import MailModel

extension ClusterConsole {
    /// Asks for all that a check needs.
    func facts(program: String) async throws(ConsoleFailure) -> ClusterFacts {
        let status = try await self.clusterStatus()
        // The clocks are compared as soon as the controller has told its own.
        let now = self.time.date
        return ClusterFacts(
            now: now, program: program, status: status, authority: try await self.authority(),
            nodes: try await self.allNodes(), certificates: try await self.allCertificates(),
            domains: try await self.allDomains().map(\.domain.name))
    }
}

extension ConsoleTerminal {
    /// Writes what a check found.
    ///
    /// - Throws: a failure if something is not well, after all is written.
    func write(_ report: CheckReport, as format: OutputFormat, isUnicode: Bool) throws(ConsoleFailure) {
        try self.write(report.document, as: format) { report.lines(isUnicode: isUnicode) }
        if report.outcome == .error { throw ConsoleFailure(.failed, "the check found errors") }
    }
}
