import LabDatabase
import LabRelay

extension LabRelay {
    /// Runs relayctl, as the operator unless told otherwise; an empty connection leaves it out.
    @discardableResult
    func relayctl(
        _ arguments: [String], connection: String? = nil, input: String = ""
    ) async throws -> ProgramRun {
        let connection = connection ?? self.postgres.connectionString(database: "relay", user: QueueLogin.person)
        return try await ProgramRun.of(
            "relayctl", arguments + (connection.isEmpty ? [] : ["--connection", connection]), input: input)
    }
}
