import Cryptography
import Foundation
import LabDNS
import LabPeers
import LabSupport
import Synchronization

/// A node of a `LabRelay` beside its first one.
public struct LabNode: Sendable {
    /// Its name, in greetings and trace rows.
    public let name: String
    /// The process.
    public let relayd: RelaydProcess
    /// Where it takes mail, on 127.0.0.1.
    public let smtpPort: UInt16
}

/// Configures the nodes of one lab, and ends them.
final class LabNodes: Sendable {
    private let options: LabRelayOptions
    private let parts: LabRelayParts
    private let executable: URL
    private let connection: String
    private let internet: SignedInternet
    private let processes = Mutex<[RelaydProcess]>([])

    init(
        options: LabRelayOptions, parts: LabRelayParts, executable: URL, connection: String, internet: SignedInternet
    ) {
        self.options = options
        self.parts = parts
        self.executable = executable
        self.connection = connection
        self.internet = internet
    }

    /// The node that each lab has.
    ///
    /// - Parameter control: the settings with which it follows a controller; without them its other settings say everything.
    func first(following control: [String: String]? = nil) throws -> RelaydProcess {
        try self.configure(
            LabRelay.nodeName, number: 1, smtpPort: self.parts.smtpPort, settings: self.options.settings,
            control: control, environment: self.options.environment)
    }

    /// One more.
    func add(
        _ name: String, settings: [String: String], following control: [String: String]?, environment: [String: String]
    ) throws -> LabNode {
        let port = Ports.unused()
        let all = self.options.settings.merging(settings) { $1 }
        let number = self.processes.withLock { $0.count + 1 }
        let relayd = try self.configure(
            name, number: number, smtpPort: port, settings: all, control: control, environment: environment)
        return LabNode(name: name, relayd: relayd, smtpPort: port)
    }

    /// Ends all; each gets `patience` to drain.
    func stop(patience: Duration) async {
        let processes = self.processes.withLock { $0 }
        // One that is suspended hears no SIGTERM.
        for process in processes { process.resume() }
        await withTaskGroup { group in
            for process in processes { group.addTask { await process.stop(patience: patience) } }
        }
    }

    /// Writes certificate, key and configuration of a node. The files of the first have no number, for people who look at them.
    private func configure(
        _ name: String, number: Int, smtpPort: UInt16, settings: [String: String], control: [String: String]? = nil,
        environment: [String: String]
    ) throws -> RelaydProcess {
        let (folder, suffix) = (self.parts.folder, number == 1 ? "" : "-\(number)")
        let leaf = try self.parts.pki.leaf(name)
        let telemetryPort = Ports.unused()
        var configuration = LabRelayConfiguration(
            node: name, smtpPort: smtpPort, telemetryPort: telemetryPort, deliveryPort: self.parts.deliveryPort,
            certificate: try folder.write(leaf.chainPEM, to: "relayd\(suffix)-chain.pem").path,
            key: try folder.write(leaf.key.pem, to: "relayd\(suffix)-key.pem").path, connection: self.connection,
            durability: self.options.durability, shards: self.options.shards, internet: self.internet)
        configuration.override(settings)
        if let control { configuration.follow(control) }
        let process = RelaydProcess(
            executable: self.executable,
            configuration: try folder.write(configuration.yaml, to: "relayd\(suffix).yaml"),
            telemetryPort: telemetryPort,
            logFolder: number == 1 ? folder.url : try folder.makeFolder("node\(suffix)"), environment: environment)
        self.processes.withLock { $0.append(process) }
        return process
    }
}
