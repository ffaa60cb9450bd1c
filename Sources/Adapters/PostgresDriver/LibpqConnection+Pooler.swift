import CPostgres
import Glibc
import Synchronization

extension LibpqConnection {
    /// The most time for an answer to the second session. A pooler with no server connection left lets it wait.
    private static let answerTime = Duration.seconds(5)
    /// How long a notification is waited for, before the listener asks. It decides nothing.
    private static let idleTime = Duration.seconds(1)
    private static let rounds = 10
    /// One at a time in this process: one server connection to spare is then enough for all connections of a node.
    private static let turn = Mutex(())

    /// Whether the server's process is another one than the connection was told of: a pooler answers with a key of its own for
    /// cancel requests.
    func isPooled(_ report: SessionReport) -> Bool {
        // libpq has the number from the start of the session, and only reads it.
        "\(unsafe PQbackendPID(self.handle))" != report.backend
    }

    /// Finds out how a pooler hands out server connections (`PoolerEvidence`), with a second connection beside this one.
    ///
    /// - Returns: why the connection must not be used; `nil` where it is proven that its server connection is kept.
    func objectionToPooler(_ settings: PoolSettings) -> PostgresError? {
        Self.turn.withLock { _ in
            do throws(PostgresError) {
                let other = try LibpqConnection(settings, overrides: self.endpoint)
                return try self.objectionToPooler(beside: other, within: settings.statementTimeout)
            } catch {
                return error.code == .readOnlyServer ? error : SessionPromises.undecided(error)
            }
        }
    }

    private func objectionToPooler(
        beside other: LibpqConnection, within limit: Duration
    ) throws(PostgresError) -> PostgresError? {
        let channel = "relay_\(UInt64.random(in: .min ... .max))"
        let question = SessionPromises.question([])
        let listener = try self.report("LISTEN \(channel); \(question)", [], within: limit)
        for round in 1...Self.rounds {
            let payload = "\(round)"
            let notification = SessionPromises.notification(payload, on: channel)
            var evidence = PoolerEvidence(
                listener: listener, notifier: try other.report(notification, [], within: Self.answerTime))
            if evidence.verdict == .open {
                evidence.arrivedIdle = self.waitForNotification(payload, on: channel)
            }
            if evidence.verdict == .open {
                evidence.later = try self.report(question, [], within: limit)
                evidence.arrivedLater = self.takeNotification(payload, on: channel)
            }
            switch evidence.verdict {
            case .transaction: return SessionPromises.sharedByTransaction
            case .session:
                _ = try self.run(.script("UNLISTEN \(channel)"), within: limit).result.get()
                return nil
            case .open: continue
            }
        }
        throw PostgresError(.cannotConnect, "\(Self.rounds) rounds showed nothing")
    }

    /// The server that libpq has chosen, as key words that take the place of a list.
    private var endpoint: [(String, String)] {
        // libpq owns the texts, which last as long as the connection; they are copied.
        let texts = unsafe [
            ("host", PQhost(self.handle)), ("hostaddr", PQhostaddr(self.handle)), ("port", PQport(self.handle)),
        ]
        return unsafe texts.compactMap { keyword, text in
            guard let text = unsafe text.map({ unsafe String(cString: $0) }), !text.isEmpty else { return nil }
            return (keyword, text)
        }
    }

    /// Waits for a notification, and says nothing to the server meanwhile.
    private func waitForNotification(_ payload: String, on channel: String) -> Bool {
        let end = ContinuousClock.now + Self.idleTime
        while !self.takeNotification(payload, on: channel) {
            let left = end - .now
            guard left > .zero else { return false }
            var entry = pollfd(fd: unsafe PQsocket(self.handle), events: Int16(POLLIN), revents: 0)
            // `entry` lives on the stack for the whole call.
            _ = unsafe poll(&entry, 1, pollMilliseconds(left))
            guard unsafe PQconsumeInput(self.handle) == 1 else { return false }
        }
        return true
    }

    /// Takes all notifications that libpq has read. Whether this one is among them.
    private func takeNotification(_ payload: String, on channel: String) -> Bool {
        var isFound = false
        // libpq makes each notification, and it is freed here; the texts are copied before.
        while let notification = unsafe PQnotifies(self.handle) {
            defer { unsafe PQfreemem(notification) }
            let (name, text) = unsafe (notification.pointee.relname, notification.pointee.extra)
            guard let name = unsafe name, let text = unsafe text else { continue }
            if unsafe String(cString: name) == channel, unsafe String(cString: text) == payload { isFound = true }
        }
        return isFound
    }
}
