/// What tells whether a pooler keeps one server connection for a session, as long as the session lasts.
///
/// A session listens to a channel of its own. Another session, also through the pooler, notifies it. PostgreSQL sends
/// the notification at once to a listener that is idle. It sends it at the latest before it says that the listener's
/// next transaction has ended. So there is proof both ways, whatever other clients do, and however slow the machine is:
/// - A notification that reaches an idle session came over a server connection that is kept for it.
/// - A notification that is missing after the next transaction went to a server connection that is not kept for it.
struct PoolerEvidence: Hashable, Sendable {
    /// What one round shows.
    enum Verdict: Hashable, Sendable {
        case session
        case transaction
        /// Neither; another round may show more.
        case open
    }

    /// Says who serves the session, in the transaction that begins to listen.
    let listener: SessionReport
    /// The same of the session that notifies.
    let notifier: SessionReport
    /// The notification came while the listener was idle.
    var arrivedIdle = false
    /// Says who serves the listener afterwards; `nil` before it was asked.
    var later: SessionReport?
    /// The notification came with the answer to that.
    var arrivedLater = false

    /// What this shows so far.
    var verdict: Verdict {
        // The pooler has changed servers meanwhile: nothing can be said.
        guard self.notifier.server == self.listener.server else { return .open }
        if self.notifier.backend == self.listener.backend { return .transaction }
        if self.arrivedIdle { return .session }
        guard let later, later.server == self.listener.server else { return .open }
        if later.backend != self.listener.backend { return .transaction }
        // One that is late may come through in the listener's next turn, by transaction, too.
        return self.arrivedLater ? .open : .transaction
    }
}
