public import Foundation
import Glibc
public import LabSupport
import Synchronization

/// A real `relayd`, or another program of ours that runs until a signal, with a configuration of its own: started, stopped, killed
/// and started again.
public final class RelaydProcess: Sendable {
    /// The program.
    public let executable: URL
    /// Its configuration file.
    public let configuration: URL
    /// Where `/metrics` and the health checks are.
    public let telemetryPort: UInt16

    private struct State {
        var running: ChildProcess?
        var logs: [URL] = []
    }
    private let state = Mutex(State())
    private let program: String
    private let logFolder: URL
    private let environment: [String: String]

    init(
        _ program: String = "relayd", executable: URL, configuration: URL, telemetryPort: UInt16, logFolder: URL,
        environment: [String: String] = [:]
    ) {
        self.program = program
        self.executable = executable
        self.configuration = configuration
        self.telemetryPort = telemetryPort
        self.logFolder = logFolder
        self.environment = environment
    }

    /// The process id while it runs.
    public var processIdentifier: Int32? {
        self.state.withLock { $0.running.flatMap { $0.isRunning ? $0.processIdentifier : nil } }
    }

    /// The exit status of the last run, once it has ended.
    public var terminationStatus: Int32? { self.state.withLock { $0.running?.terminationStatus } }

    /// Starts it and returns when it says that it is ready.
    public func start(within limit: Duration = .seconds(30)) async throws(LabFailure) {
        try await self.launch()
        try await self.waitUntilReady(within: limit)
    }

    /// Starts it and does not wait.
    public func launch() async throws(LabFailure) {
        guard self.processIdentifier == nil else { throw LabFailure("\(self.program) runs already") }
        let log = self.state.withLock { state in
            let log = self.logFolder.appending(path: "\(self.program)-\(state.logs.count + 1).log")
            state.logs.append(log)
            return log
        }
        let child = try await ChildProcess(
            self.executable.path, ["run", "--config", self.configuration.path], environment: self.environment,
            log: log)
        self.state.withLock { $0.running = child }
    }

    /// Waits until `/readyz` answers 200, and no check fails.
    public func waitUntilReady(within limit: Duration = .seconds(30)) async throws(LabFailure) {
        guard let child = self.state.withLock({ $0.running }) else {
            throw LabFailure("\(self.program) was not started")
        }
        let port = self.telemetryPort
        try await child.ready(within: limit, self.program) {
            guard let answer = try? await LabHTTP.get("/readyz", port: port) else { return false }
            return answer.status == 200 && !answer.body.contains("[-]")
        }
    }

    /// Ends it with SIGTERM, so that it drains; after `patience` with SIGKILL.
    public func stop(patience: Duration = .seconds(40)) async {
        await self.state.withLock { $0.running }?.stop(patience: patience)
    }

    /// Asks it with SIGHUP to take its configuration anew.
    public func reload() throws(LabFailure) {
        guard let process = self.processIdentifier, Glibc.kill(process, SIGHUP) == 0 else {
            throw LabFailure("\(self.program) does not run")
        }
    }

    /// Stops it with SIGSTOP, in the middle of whatever it does; the system answers for its sockets meanwhile.
    public func suspend() { self.state.withLock { $0.running }?.signal(SIGSTOP) }

    /// Lets it go on.
    public func resume() { self.state.withLock { $0.running }?.signal(SIGCONT) }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    public func kill() async {
        await self.state.withLock { $0.running }?.stop(signal: SIGKILL)
    }

    /// Ends it as told and starts it again on the same configuration.
    public func restart(afterKill: Bool = false) async throws(LabFailure) {
        if afterKill { await self.kill() } else { await self.stop() }
        try await self.start()
    }

    /// What it has logged so far, over all its runs.
    public var logLines: [LabLogLine] {
        self.state.withLock { $0.logs }.flatMap { LabLogLine.read($0) }
    }

    /// Waits for a line of its log; `nil` when time is up.
    public func waitForLogLine(
        within limit: Duration = .seconds(15), where condition: (LabLogLine) -> Bool
    ) async -> LabLogLine? {
        await eventualValue(within: limit) { self.logLines.first(where: condition) }
    }

    /// The text of `/metrics`.
    public func metrics() async throws -> String {
        try await LabHTTP.get("/metrics", port: self.telemetryPort).body
    }

    /// The sum over all label sets of a metric whose sample lines contain `label` (such as `result="delivered"`).
    public func metric(_ name: String, label: String = "") async throws -> Double {
        try await self.metrics().split(separator: "\n").reduce(0) { sum, line in
            // `contains` finds no empty text in anything.
            guard line.hasPrefix("\(name){") || line.hasPrefix("\(name) "), label.isEmpty || line.contains(label),
                let value = line.split(separator: " ").last.flatMap({ Double($0) })
            else { return sum }
            return sum + value
        }
    }
}
