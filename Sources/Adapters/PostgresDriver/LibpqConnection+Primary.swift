import CPostgres

extension LibpqConnection {
    /// A connection to a server that may be used: one that keeps the session's settings. Where the settings have a
    /// history, it is a primary not older than those in it.
    ///
    /// libpq takes the first server of a list that suits it, and knows nothing of the history. If that one may not be used, the
    /// others of the list are tried one by one.
    static func open(_ settings: PoolSettings) throws(PostgresError) -> LibpqConnection {
        let first = try LibpqConnection(settings)
        guard let refusal = first.prepareSession(settings) ?? first.refusal(by: settings) else { return first }
        for host in first.listedHosts {
            do throws(PostgresError) {
                let other = try LibpqConnection(settings, overrides: host)
                if other.prepareSession(settings) == nil, other.refusal(by: settings) == nil { return other }
            } catch {
                // The first refusal tells more than that another host is down.
                continue
            }
        }
        throw refusal
    }

    /// Why this connection must not be used any more, now that a newer primary has been seen.
    func staleness(by history: PrimaryHistory?) -> PostgresError? {
        guard let history, let identity else { return nil }
        return history.objection(to: identity)
    }

    // MARK: - Asking

    /// The timeline is in the name of the file that is being written: unlike the control file it is right from the
    /// promotion on.
    private static let question = Statement(
        """
        SELECT pg_is_in_recovery(), system_identifier, CASE WHEN pg_is_in_recovery() THEN 0
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int8 END
        FROM pg_control_system()
        """)

    private func refusal(by settings: PoolSettings) -> PostgresError? {
        guard let history = settings.primaries else { return nil }
        do throws(PostgresError) {
            let answer = try self.run(.pipeline([Self.question]), within: settings.statementTimeout).result.get()
            guard let row = try answer.first?.single() else {
                return PostgresError(.badValue, "the server does not say what it is")
            }
            guard try !row.get(0, as: Bool.self) else {
                return PostgresError(.readOnlyServer, "the server is a standby")
            }
            let identity = ServerIdentity(systemIdentifier: try row.get(1), timeline: try row.get(2))
            self.identity = identity
            return history.observe(identity)
        } catch {
            return error
        }
    }

    /// The hosts of a list, each as key words that take the place of the list; none where there is one host only.
    private var listedHosts: [[(String, String)]] {
        var lists: [String: [String]] = [:]
        // libpq makes the array, which ends with a null key word, and it is freed here; the texts are copied before.
        guard let options = unsafe PQconninfo(self.handle) else { return [] }
        defer { unsafe PQconninfoFree(options) }
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                let values = unsafe String(cString: value).split(separator: ",", omittingEmptySubsequences: false)
                unsafe lists[String(cString: keyword)] = values.map { String($0) }
            }
            unsafe option += 1
        }
        let count = max(lists["host"]?.count ?? 0, lists["hostaddr"]?.count ?? 0)
        guard count > 1 else { return [] }
        return (0..<count).map { index in
            ["host", "hostaddr", "port"].compactMap { keyword in
                guard let values = lists[keyword], let last = values.last else { return nil }
                // One port stands for all.
                return (keyword, index < values.count ? values[index] : last)
            }
        }
    }
}
