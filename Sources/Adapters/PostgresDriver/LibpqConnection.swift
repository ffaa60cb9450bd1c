import CPostgres
import Glibc

/// The one owner of a `PGconn`. It is made, used and freed on one thread.
///
/// Connecting blocks that thread. Only the blocking call gives each host of a list its own time limit (`PQconnectPoll`
/// ignores `connect_timeout`). And libpq resolves names by a blocking call anyway. All that follows is non-blocking, in
/// pipeline mode, with deadlines of our own.
@safe final class LibpqConnection {
    /// Prepared statements beyond this are not kept, so that text built at run time cannot fill the server's memory.
    static let maximumPreparedStatements = 256

    let handle: OpaquePointer
    /// Names of the statements that the server has prepared, by text.
    var prepared: [String: String] = [:]
    var nextStatementNumber = 0
    private let planLifetime: Duration?
    /// Since when the session has had its plans.
    private var plansSince = ContinuousClock.now
    let notices = ServerNotices()
    /// What the server said of itself, where that was asked.
    var identity: ServerIdentity?
    /// What is worth telling of the server, which may be used all the same.
    var warning: String?

    /// Connects, or says why not.
    ///
    /// - Parameter overrides: key words for libpq that take the place of those in the settings.
    init(_ settings: PoolSettings, overrides: [(String, String)] = []) throws(PostgresError) {
        let handle = unsafe Self.connect(settings.parameters + overrides)
        guard let handle = unsafe handle else { throw PostgresError(.cannotConnect, "libpq is out of memory") }
        unsafe self.handle = handle
        self.planLifetime = settings.planLifetime
        // The handle is valid from here until `deinit`, and no other thread has it.
        guard unsafe PQstatus(handle) == CONNECTION_OK else {
            throw PostgresError(.cannotConnect, unsafe Self.message(handle))
        }
        unsafe self.notices.listen(to: handle)
        guard unsafe PQsetnonblocking(handle, 1) == 0, unsafe PQenterPipelineMode(handle) == 1 else {
            throw PostgresError(.cannotConnect, unsafe Self.message(handle))
        }
    }

    deinit {
        // Nothing uses the handle after its owner.
        unsafe PQfinish(self.handle)
    }

    /// Whether the plans are due to be made anew; from now on they count as new.
    func takeStalePlans() -> Bool {
        guard let lifetime = self.planLifetime, ContinuousClock.now - self.plansSince >= lifetime else { return false }
        self.plansSince = .now
        return true
    }

    /// Waits until there is work, or the server closes the idle connection.
    ///
    /// - Returns: whether the connection still stands.
    func waitForWork(_ wakeup: Wakeup) -> Bool {
        var entries = [
            pollfd(fd: unsafe PQsocket(self.handle), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // The array outlives the call.
        _ = unsafe poll(&entries, 2, -1)
        if entries[1].revents != 0 { wakeup.drain() }
        guard entries[0].revents != 0 else { return true }
        // What comes unasked is a notice, or the server's last message; libpq reads both.
        guard unsafe PQconsumeInput(self.handle) == 1 else { return false }
        return unsafe PQstatus(self.handle) == CONNECTION_OK
    }

    /// Asks the server, on a connection and a thread of its own, to cancel what this connection waits for.
    func requestCancel() {
        // The cancel object is a copy of the address and key; it is freed by whoever runs the closure.
        guard let cancel = unsafe PQgetCancel(self.handle) else { return }
        let box = unsafe CancelBox(cancel: cancel)
        startThread("postgres-cancel") {
            var text = [CChar](repeating: 0, count: 256)
            // The buffer is 256 bytes, as said in the call; the cancel object is freed here and nowhere else.
            _ = unsafe PQcancel(box.cancel, &text, 256)
            unsafe PQfreeCancel(box.cancel)
        }
    }

    /// libpq's last words about the connection, on one line.
    static func message(_ handle: OpaquePointer) -> String {
        // libpq owns the text; it is copied at once.
        guard let text = unsafe PQerrorMessage(handle) else { return "unknown error" }
        return unsafe String(cString: text).split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    // The handle is valid as long as its owner.
    var lastMessage: String { unsafe Self.message(self.handle) }

    private static func connect(_ parameters: [(String, String)]) -> OpaquePointer? {
        var keywords: [UnsafePointer<CChar>?] = unsafe parameters.map { unsafe UnsafePointer(strdup($0.0)) }
        var values: [UnsafePointer<CChar>?] = unsafe parameters.map { unsafe UnsafePointer(strdup($0.1)) }
        // The copies are freed when libpq, which copies them too, has returned.
        defer {
            unsafe keywords.forEach { unsafe free(UnsafeMutableRawPointer(mutating: $0)) }
            unsafe values.forEach { unsafe free(UnsafeMutableRawPointer(mutating: $0)) }
        }
        unsafe keywords.append(nil)
        unsafe values.append(nil)
        return unsafe PQconnectdbParams(keywords, values, 1)
    }
}

/// Carries the cancel object to the thread that uses and frees it.
@safe private struct CancelBox: @unchecked Sendable {
    let cancel: OpaquePointer
}
