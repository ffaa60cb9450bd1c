public import Foundation
import Glibc

/// A program that the lab started and will end: a name server, a database, a peer.
///
/// The child is told by the kernel to stop when this process dies for whatever reason, and may run as another user.
/// Its output goes to a file, so nothing here has to drain a pipe.
public final class ChildProcess: Sendable {
    /// Why a program could not be started, or did not become ready.
    public struct Failure: Error, CustomStringConvertible {
        /// One line for people, with the last output of the program.
        public let description: String
        /// A failure that says this.
        public init(_ description: String) { self.description = description }
    }

    /// Where its standard output and error go.
    public let log: URL
    private let process: SpawnedProcess

    /// Starts `executable` (a path, or a name looked up in PATH and the sbin folders).
    ///
    /// - Parameters:
    ///   - user: run as this account; only root may ask for it.
    ///   - log: file for its output; made anew.
    public init(
        _ executable: String, _ arguments: [String], user: String? = nil, environment: [String: String] = [:],
        workingDirectory: URL? = nil, log: URL
    ) async throws(Failure) {
        self.log = log
        // `setpriv` sets the parent-death signal, so that a killed test leaves no daemon behind.
        var words = ["--pdeathsig", "TERM"]
        if let user { words += ["--reuid", user, "--regid", user, "--init-groups"] }
        words += ["--", try Self.locate(executable)] + arguments
        // A new file: a child of before may still write to its own.
        unlink(log.path)
        let output = open(log.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard output >= 0 else { throw Failure("cannot write \(log.path): \(String(cString: strerror(errno)))") }
        defer { close(output) }
        do {
            self.process = try await SpawnedProcess(
                .init(
                    path: "/usr/bin/setpriv", arguments: words,
                    environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
                    workingDirectory: workingDirectory?.path, output: output))
        } catch {
            throw Failure("cannot start \(executable): \(String(cString: strerror(error.code.rawValue)))")
        }
    }

    /// The process id, for `kill` and for `/proc`.
    public var processIdentifier: Int32 { self.process.identifier }

    /// Whether it still runs.
    public var isRunning: Bool { self.process.status == nil }

    /// The exit status, or 128 and the signal that ended it, once it has ended.
    public var terminationStatus: Int32? { self.process.status }

    /// Sends a signal, if it still runs.
    public func signal(_ number: Int32) { self.process.signal(number) }

    /// Sends SIGTERM (or another signal), waits up to `patience`, then sends SIGKILL.
    public func stop(signal number: Int32 = SIGTERM, patience: Duration = .seconds(5)) async {
        self.signal(number)
        if await self.ended(within: patience) { return }
        self.signal(SIGKILL)
        _ = await self.ended(within: .seconds(5))
    }

    /// Waits for the end; `false` when the time is up first.
    public func ended(within limit: Duration) async -> Bool {
        await eventually(within: limit, every: .milliseconds(5)) { !self.isRunning }
    }

    /// Polls `condition` until it holds. Fails when the program ends or the time is up.
    public func ready(within limit: Duration, _ what: String, condition: () async -> Bool) async throws(Failure) {
        let deadline = ContinuousClock.now + limit
        while await !condition() {
            guard self.isRunning else { throw Failure("\(what) ended: \(self.lastOutput())") }
            guard ContinuousClock.now < deadline else { throw Failure("\(what) not ready: \(self.lastOutput())") }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The last kilobytes of its output.
    public func lastOutput() -> String {
        guard let data = try? Data(contentsOf: self.log) else { return "" }
        return String(decoding: data.suffix(2000), as: UTF8.self)
    }

    /// Runs a program to its end and gives its standard output; fails with its output if its status is not 0.
    @discardableResult
    public static func run(
        _ executable: String, _ arguments: [String], user: String? = nil, environment: [String: String] = [:],
        limit: Duration = .seconds(60)
    ) async throws(Failure) -> String {
        let log = FileManager.default.temporaryDirectory.appending(path: "relay-run-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: log) }
        let child = try await ChildProcess(executable, arguments, user: user, environment: environment, log: log)
        guard await child.ended(within: limit) else {
            await child.stop(signal: SIGKILL)
            throw Failure("\(executable) took longer than \(limit)")
        }
        let output = (try? Data(contentsOf: log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard child.terminationStatus == 0 else {
            let line = ([executable] + arguments).joined(separator: " ")
            throw Failure("\(line): status \(child.terminationStatus ?? -1): \(output.suffix(2000))")
        }
        return output
    }

    private static func locate(_ executable: String) throws(Failure) -> String {
        if executable.contains("/") { return executable }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        // Without the type, `split` is inferred to give slices of characters, which do not print as paths.
        let folders: [String] =
            path.split(separator: ":").map { String($0) } + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        for folder in folders {
            let candidate = "\(folder)/\(executable)"
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
        }
        throw Failure("\(executable) is not installed")
    }
}
