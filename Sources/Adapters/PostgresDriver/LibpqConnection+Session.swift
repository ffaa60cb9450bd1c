import CPostgres

extension LibpqConnection {
    /// The most time for a probe's answer. A pooler in session mode that has no server connection left does not answer it.
    private static let probeTime = Duration.seconds(2)

    /// What the settings do not include, and is asked for all the same.
    private static let observed = ["fsync", "full_page_writes"]

    /// Sets what the session needs, and asks the server what is in force.
    ///
    /// - Returns: why the connection must not be used, or `nil`.
    func prepareSession(_ settings: PoolSettings, overrides: [(String, String)] = []) -> PostgresError? {
        do throws(PostgresError) {
            let names = settings.sessionSettings.keys.sorted()
            let assigned = try self.report(
                SessionPromises.assignment(settings.sessionSettings), names, within: settings.statementTimeout)
            let all = names + Self.observed
            let found = try self.report(SessionPromises.question(all), all, within: settings.statementTimeout)
            self.warning = settings.requiresFsync ? SessionPromises.warning(found) : nil
            if let error = SessionPromises.objection(
                assigned: assigned, found: found, requiresFsync: settings.requiresFsync)
            {
                return error
            }
            return try self.probe(settings, overrides, backend: found.backend)
        } catch {
            return error
        }
    }

    /// A pooler answers with a key of its own for cancel requests, and only then is there anything to find out.
    ///
    /// By session, this connection and another have each a server connection of their own, for as long as they last. By
    /// transaction, the other one is given the server connection that this one has just given back, or this one gets
    /// another in its next transaction.
    private func probe(
        _ settings: PoolSettings, _ overrides: [(String, String)], backend: String
    ) throws(PostgresError) -> PostgresError? {
        // libpq has the number from the start of the session, and only reads it.
        guard "\(unsafe PQbackendPID(self.handle))" != backend else { return nil }
        guard let other = try? LibpqConnection(settings, overrides: overrides) else { return nil }
        for _ in 0..<SessionPromises.probes {
            let question = SessionPromises.question([])
            let own = try self.report(question, [], within: settings.statementTimeout)
            // No answer means that no server connection is free, although this one has ended its transaction.
            guard let theirs = try? other.report(question, [], within: Self.probeTime) else { return nil }
            if own.backend != backend || theirs.backend == own.backend { return SessionPromises.sharedByTransaction }
        }
        return nil
    }

    /// By the simple protocol: a pooler by transaction would mix up the names of prepared statements.
    private func report(
        _ question: String, _ names: [String], within limit: Duration
    ) throws(PostgresError) -> SessionReport {
        let results = try self.run(.script(question), within: limit).result.get()
        guard let row = try results.first?.single() else {
            throw PostgresError(.badValue, "the server does not say what is in force")
        }
        var values: [String: String] = [:]
        for (index, name) in names.enumerated() { values[name] = try row.get(index + 1, as: String.self) }
        return SessionReport(backend: try row.get(0), values: values)
    }
}
