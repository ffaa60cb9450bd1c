import CPostgres

/// Listens to what a server says besides its answers. Most of it is of no interest. A notice from `SyncRepWaitForLSN`
/// means that a COMMIT did not wait for its standby to the end, although it is answered like any other.
///
/// It belongs to one connection, and is used on that connection's thread.
final class ServerNotices {
    /// The wait of the last COMMIT was given up.
    var isWaitCancelled = false

    /// Takes the connection's notices, which would otherwise go to standard error.
    func listen(to handle: OpaquePointer) {
        // The connection keeps this object, and frees the handle before it.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe PQsetNoticeReceiver(handle, Self.receive, context)
    }

    private static let receive: PQnoticeReceiver = { context, result in
        // libpq calls this on the thread that reads the answers, and owns the result and its texts.
        guard let context = unsafe context, let function = unsafe relay_result_function(result),
            unsafe String(cString: function) == "SyncRepWaitForLSN"
        else { return }
        unsafe Unmanaged<ServerNotices>.fromOpaque(context).takeUnretainedValue().isWaitCancelled = true
    }
}
