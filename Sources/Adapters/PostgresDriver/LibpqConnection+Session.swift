import CPostgres

extension LibpqConnection {
    /// What the settings do not include, and is asked for all the same.
    private static let observed = ["fsync", "full_page_writes"]

    /// Sets what the session needs, and asks the server what is in force.
    ///
    /// A pooler is looked at before anything is set: by transaction, the settings would fall to its other clients.
    ///
    /// - Returns: why the connection must not be used, or `nil`.
    func prepareSession(_ settings: PoolSettings) -> PostgresError? {
        do throws(PostgresError) {
            let server = try self.report(SessionPromises.question([]), [], within: settings.statementTimeout)
            if self.isPooled(server), let objection = self.objectionToPooler(settings) { return objection }
            let names = settings.sessionSettings.keys.sorted()
            let assigned = try self.report(
                SessionPromises.assignment(settings.sessionSettings), names, within: settings.statementTimeout)
            let all = names + Self.observed
            let found = try self.report(SessionPromises.question(all), all, within: settings.statementTimeout)
            self.warning = settings.requiresFsync ? SessionPromises.warning(found) : nil
            return SessionPromises.objection(
                assigned: assigned, found: found, requiresFsync: settings.requiresFsync)
        } catch {
            return error
        }
    }

    /// Reads what the last statement of a text says of the session.
    ///
    /// By the simple protocol: a pooler by transaction would mix up the names of prepared statements.
    func report(
        _ question: String, _ names: [String], within limit: Duration
    ) throws(PostgresError) -> SessionReport {
        let results = try self.run(.script(question), within: limit).result.get()
        guard let row = try results.last?.single() else {
            throw PostgresError(.badValue, "the server does not say what is in force")
        }
        var values: [String: String] = [:]
        for (index, name) in names.enumerated() { values[name] = try row.get(index + 2, as: String.self) }
        return SessionReport(backend: try row.get(0), server: try row.get(1), values: values)
    }
}
