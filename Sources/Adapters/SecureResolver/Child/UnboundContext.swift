import CUnbound
import Glibc
import Synchronization

/// The one owner of a `ub_ctx`; a single thread uses it from its making to the end of the process.
@safe final class UnboundContext {
    /// What came of a question.
    typealias Done = (UInt64, Result<RawAnswer, LibraryFailure>) -> Void

    /// libunbound itself failed.
    struct LibraryFailure: Error {
        let text: String
    }

    /// A query under way; libunbound carries a retained reference to it until it calls back or is told to cancel.
    private final class Query {
        let number: UInt64
        let name: String
        let type: UInt16
        unowned let context: UnboundContext
        var identifier: Int32 = 0

        init(_ context: UnboundContext, _ number: UInt64, _ name: String, _ type: UInt16) {
            self.context = context
            self.number = number
            self.name = name
            self.type = type
        }
    }

    // The pointer is valid from `init` on; nobody deletes the context, which ends with the process.
    private let pointer: OpaquePointer
    private let done: Done
    private var queries: [UInt64: Query] = [:]
    /// What libunbound logs, by whichever thread; a process has one context.
    private static let log = Mutex(FailureLog())

    /// Configures a context. `done` is called by `process()`.
    init(configurationFile: String, done: @escaping Done) throws(LibraryFailure) {
        guard let pointer = unsafe ub_ctx_create() else { throw .init(text: "libunbound gives no context") }
        unsafe self.pointer = pointer
        self.done = done
        guard let stream = unsafe relay_line_stream(Self.logged) else {
            throw .init(text: "there is no stream to log to")
        }
        try self.check(unsafe ub_ctx_debugout(self.pointer, stream), "libunbound refuses its log")
        // A library does not log failures of look-ups otherwise; it is no option of the file.
        try self.check(
            unsafe ub_ctx_set_option(self.pointer, "val-log-squelch:", "no"), "libunbound does not log failures")
        // Its own thread rather than a forked process.
        try self.check(unsafe ub_ctx_async(self.pointer, 1), "libunbound refuses threads")
        try self.check(unsafe ub_ctx_config(self.pointer, configurationFile), "libunbound refuses its options")
    }

    /// The version of the library in use.
    static var version: String { unsafe String(cString: ub_version()) }

    /// Becomes readable when `process()` has something to do.
    var descriptor: Int32 { unsafe ub_fd(self.pointer) }

    /// Begins a query. The trailing dot of `name` keeps libunbound from searching for it anywhere else.
    func resolve(_ number: UInt64, _ name: String, type: UInt16) throws(LibraryFailure) {
        let query = Query(self, number, name, type)
        // What a look-up of the same question before failed for is not what this one may fail for.
        _ = Self.log.withLock { $0.take(name, type) }
        // The reference is released by the callback, or after a cancellation that rules the callback out.
        let retained = unsafe Unmanaged.passRetained(query)
        let status = unsafe ub_resolve_async(
            self.pointer, name, Int32(type), 1, retained.toOpaque(), Self.callback, &query.identifier)
        guard status == 0 else {
            unsafe retained.release()
            throw .init(text: Self.text(status))
        }
        self.queries[number] = query
    }

    /// Runs the callbacks of what has been answered.
    func process() { _ = unsafe ub_process(self.pointer) }

    /// Nobody wants this answer any more; libunbound may go on looking for it.
    func withdraw(_ number: UInt64) {
        guard let query = self.queries.removeValue(forKey: number) else { return }
        // Only a successful cancellation promises that the callback, which would use the reference, never comes.
        if unsafe ub_cancel(self.pointer, query.identifier) == 0 {
            unsafe Unmanaged.passUnretained(query).release()
        }
    }

    private func completed(_ query: Query, _ result: Result<RawAnswer, LibraryFailure>) {
        guard self.queries.removeValue(forKey: query.number) != nil else { return }
        self.done(query.number, result)
    }

    private static let callback: ub_callback_type = { data, status, result in
        // libunbound hands over the result; it is freed here whatever happens.
        defer { unsafe ub_resolve_free(result) }
        guard let data = unsafe data else { return }
        // This is the reference that `resolve` retained, and it comes back once.
        let query = unsafe Unmanaged<Query>.fromOpaque(data).takeRetainedValue()
        guard status == 0, let result = unsafe result else {
            return query.context.completed(query, .failure(.init(text: UnboundContext.text(status))))
        }
        var raw = unsafe UnboundContext.copy(result.pointee)
        if raw.rcode == RawAnswer.serverFailure {
            raw.passed = UnboundContext.log.withLock { $0.take(query.name, query.type) }
        }
        query.context.completed(query, .success(raw))
    }

    /// Reads what libunbound logs, and passes the rest on to standard error.
    private static let logged: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, Int) -> Int = {
        _, start, count in
        guard let start = unsafe start else { return count }
        // The library vouches for `count` bytes from `start` on.
        let bytes = unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
        let others = UnboundContext.log.withLock { $0.read(bytes) }
        // What does not fit is lost: nobody waits for a log.
        if !others.isEmpty { _ = unsafe write(STDERR_FILENO, others, others.count) }
        return count
    }

    /// Copies what matters out of a result that libunbound is about to free.
    private static func copy(_ result: ub_result) -> RawAnswer {
        var packet: [UInt8] = []
        if let start = unsafe result.answer_packet, unsafe result.answer_len > 0 {
            // The library vouches for `answer_len` bytes from `answer_packet` on.
            packet = unsafe Array(UnsafeRawBufferPointer(start: start, count: Int(result.answer_len)))
        }
        var reason: String?
        if unsafe result.bogus != 0 {
            reason = unsafe result.why_bogus.map { unsafe String(cString: $0) } ?? "validation failed"
        }
        return RawAnswer(
            rcode: Int(unsafe result.rcode), isSecure: unsafe result.secure != 0 && result.bogus == 0,
            bogusReason: reason, packet: packet)
    }

    private func check(_ status: Int32, _ message: String) throws(LibraryFailure) {
        guard status == 0 else { throw .init(text: "\(message): \(Self.text(status))") }
    }

    private static func text(_ status: Int32) -> String {
        // The library's texts are constants that live as long as the program.
        unsafe ub_strerror(status).map { unsafe String(cString: $0) } ?? "error \(status)"
    }
}
