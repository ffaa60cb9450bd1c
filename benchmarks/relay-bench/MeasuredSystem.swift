import LabDNS
import LabDatabase
import LabPeers
import LabRelay
import LabSupport
import MailModel
import QueueStore

/// A relay under measurement: where it takes mail, and which processes are its.
struct MeasuredSystem: Sendable {
    /// A part whose cost is counted on its own.
    struct Part: Sendable {
        let name: String
        /// The root of its process tree.
        let process: Int32
    }

    let name: String
    let port: UInt16
    let parts: [Part]
    /// What it promises when it says 250.
    let durability: String
    /// What one message before the measurement showed of TLS on both sides.
    let security: String

    static func relayd(of lab: LabRelay) async throws -> MeasuredSystem {
        guard let relayd = lab.relayd.processIdentifier, let postgres = lab.postgres.processIdentifier else {
            throw LabFailure("relayd or its PostgreSQL does not run")
        }
        let id = try await lab.submit(to: "probe@\(Bench.domain)")
        let trace = try await lab.wait(for: id) { $0.contains { $0.kind == .send } }
        let inbound = trace.first { $0.kind == .receive }?.reply ?? ""
        guard let sent = trace.first(where: { $0.kind == .send }), sent.authentication == .dane else {
            throw LabFailure("relayd did not verify its peer by DANE: \(trace)")
        }
        return MeasuredSystem(
            name: "relayd", port: lab.smtpPort,
            parts: [Part(name: "relayd", process: relayd), Part(name: "PostgreSQL", process: postgres)],
            durability: "PostgreSQL \(lab.postgres.version), fsync and synchronous_commit on",
            security: "in: \(inbound); out: \(sent.tlsVersion ?? "") \(sent.cipher ?? ""), DANE \(sent.tlsMatch ?? "")")
    }

    static func postfix(_ rival: PostfixRival, _ lab: LabRelay) async throws -> MeasuredSystem {
        var client = LoadClient(port: rival.postfix.port, tls: try Bench.clientTLS())
        client.connections = 1
        client.messagesPerConnection = 1
        client.recipient = { _ in "probe@\(Bench.domain)" }
        _ = await client.run()
        guard let outbound = await rival.postfix.logLine(containing: "Verified TLS connection established to"),
            let inbound = await rival.postfix.logLine(containing: "TLS connection established from")
        else {
            throw LabFailure(
                "Postfix did not verify its peer by DANE: \(rival.postfix.logLines(containing: "status="))")
        }
        return MeasuredSystem(
            name: "Postfix", port: rival.postfix.port,
            parts: [
                Part(name: "Postfix", process: rival.postfix.processIdentifier),
                Part(name: "its resolver", process: rival.resolver.processIdentifier),
            ],
            durability: "queue files with fsync, on the file system of the database",
            security: "in: \(Self.tail(of: inbound)); out: \(Self.tail(of: outbound)), DANE verified")
    }

    /// What stands behind the peer in a line such as `… established from localhost[127.0.0.1]: TLSv1.3 with cipher …`.
    private static func tail(of line: String) -> String {
        line.split(separator: "]:").last.map { $0.drop { $0 == " " || $0.isNumber || $0 == ":" } }.map { String($0) }
            ?? line
    }
}
