import Foundation
public import LabSupport

extension RelaydProcess {
    /// What `/readyz` says now: its status and its text.
    public func readiness(isVerbose: Bool = false) async throws -> (status: Int, text: String) {
        let answer = try await LabHTTP.get(isVerbose ? "/readyz?verbose" : "/readyz", port: self.telemetryPort)
        return (answer.status, answer.body)
    }

    /// Waits until `/readyz` says that the node is not ready, in words that contain `text`. Fails with what it says instead.
    public func waitUntilNotReady(_ text: String, within limit: Duration = .seconds(30)) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            // One that has just been launched does not listen yet.
            let now = try? await self.readiness()
            if let now, now.status == 503, now.text.contains(text) { return }
            guard ContinuousClock.now < deadline else {
                throw LabFailure("/readyz says \(now.map { "\($0.status): \($0.text)" } ?? "nothing")")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// The status of a page, such as `/livez`.
    public func status(of path: String) async throws -> Int {
        try await LabHTTP.get(path, port: self.telemetryPort).status
    }

    /// Waits until the process has ended by itself.
    public func waitForEnd(within limit: Duration = .seconds(20)) async throws(LabFailure) {
        let hasEnded = await eventually(within: limit, every: .milliseconds(10)) { self.processIdentifier == nil }
        guard hasEnded else { throw LabFailure("the program goes on") }
    }
}
