import LabPeers
import LabRelay
import MailModel
import PostgresDriver
import QueueStore
import Testing

extension LabRelay {
    /// The reports about a message that were queued so far.
    func reports(on id: MessageID) async throws -> [MessageID] {
        let rows = try await self.store.pool.query(
            Statement("SELECT message_id FROM relay.trace WHERE kind = 'RECEIVE' AND reply = $1", "report on \(id)"))
        return try rows.rows.map { row in
            let id: PostgresUUID = try row.get(0)
            return MessageID(high: id.high, low: id.low)
        }
    }

    /// How many messages for this address were ever queued.
    func receptions(for address: String) async throws -> Int {
        let rows = try await self.store.pool.query(
            Statement("SELECT count(*) FROM relay.trace WHERE kind = 'RECEIVE' AND recipients = $1", address))
        return Int(try rows.single().get(0, as: Int64.self))
    }

    /// Waits for the report about a message at the MX host of its sender's domain.
    func deliveredReport(on id: MessageID, to sender: String, at domain: String) async throws -> ScriptedMail {
        let server = self.peer(domain).server
        let isThere = await server.wait(within: .seconds(20)) { $0.received.contains { $0.recipients == [sender] } }
        #expect(isThere, "no report on \(id) came to \(sender)")
        return try #require(server.received.first { $0.recipients == [sender] })
    }

    /// The log has one line for the event, and it tells the same facts under the names of `LogKey`.
    func expectLogged(_ event: TraceEvent, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let facts: [(key: String, value: String?)] = [
            ("rcpt_domain", "\(event.domain)"), ("attempt", "\(event.attempt)"), ("mx_host", event.mxHost),
            ("mx_ip", event.address), ("dnssec", event.dnssec), ("requirement", event.requirement),
            ("tls_version", event.tlsVersion), ("cipher", event.cipher), ("tlsa", event.tlsMatch),
            ("tls_failure", event.tlsFailure),
            ("reason", event.reason), ("enhanced", event.status.map { "\($0)" }),
            ("auth", event.authentication?.rawValue), ("node", event.node),
        ]
        func tells(_ line: LabLogLine) -> Bool {
            line["message_id"] == "\(event.message)" && line["msg"] == event.kind.rawValue
                && facts.allSatisfy { line[$0.key] == $0.value }
        }
        let line = await self.relayd.waitForLogLine(where: tells)
        let lines = self.relayd.logLines.filter { $0["message_id"] == "\(event.message)" }
        let telling = lines.count(where: tells)
        #expect(
            line != nil && telling == 1, "\(telling) lines tell \(event): \(lines.map(\.text))",
            sourceLocation: sourceLocation)
    }
}

extension [TraceEvent] {
    /// The first event of a kind.
    func first(_ kind: TraceEvent.Kind) -> TraceEvent? { self.first { $0.kind == kind } }
}
