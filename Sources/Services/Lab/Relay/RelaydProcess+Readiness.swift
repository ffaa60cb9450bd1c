import Foundation

extension RelaydProcess {
    /// What `/readyz` says now: its status and its text.
    public func readiness() async throws -> (status: Int, text: String) {
        let answer = try await LabHTTP.get("/readyz", port: self.telemetryPort)
        return (answer.status, answer.body)
    }

    /// Waits until `/readyz` says that the node is not ready, in words that contain `text`. Fails with what it says instead.
    public func waitUntilNotReady(_ text: String, within limit: Duration = .seconds(30)) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let now = try await self.readiness()
            if now.status == 503, now.text.contains(text) { return }
            guard ContinuousClock.now < deadline else { throw LabFailure("/readyz says \(now.status): \(now.text)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
