import CUnbound
import Foundation
import Synchronization

/// The one owner of a `ub_ctx`; used by a single thread from its making to `delete()`, which is what makes it safe.
@safe final class UnboundContext {
    /// A query under way; libunbound carries a retained reference to it until it calls back or is told to cancel.
    private final class Query {
        let deadline: ContinuousClock.Instant
        let done: @Sendable (QueryOutcome) -> Void
        unowned let context: UnboundContext
        var identifier: Int32 = 0

        init(
            _ context: UnboundContext, _ deadline: ContinuousClock.Instant,
            _ done: @escaping @Sendable (QueryOutcome) -> Void
        ) {
            self.context = context
            self.deadline = deadline
            self.done = done
        }
    }

    /// libunbound reads configuration with a parser, and logs with settings, that the whole process shares: contexts
    /// are made, configured and deleted one at a time.
    private static let shared = Mutex(())

    // The pointer is valid from `init` to `delete()`, after which nothing calls libunbound any more.
    private let pointer: OpaquePointer
    private var queries: [Int32: Query] = [:]

    /// Configures a context and makes libunbound read everything now, trust anchors included.
    init(configuration: String) throws(SecureResolverError) {
        let created = unsafe Self.shared.withLock { _ in unsafe ub_ctx_create() }
        guard let pointer = unsafe created else { throw .init(.libraryFailure, "libunbound gives no context") }
        unsafe self.pointer = pointer
        do throws(SecureResolverError) {
            try Self.shared.withLock { _ throws(SecureResolverError) in try self.configure(configuration) }
        } catch {
            self.delete()
            throw error
        }
    }

    /// The version of the library in use.
    static var version: String { unsafe String(cString: ub_version()) }

    /// Becomes readable when `process()` has something to do.
    var descriptor: Int32 { unsafe ub_fd(self.pointer) }

    /// The earliest deadline of the queries under way.
    var nextDeadline: ContinuousClock.Instant? { self.queries.values.lazy.map(\.deadline).min() }

    /// Begins a query; `done` is called once, from here or from a later call of this object.
    func resolve(
        _ name: String, type: UInt16, deadline: ContinuousClock.Instant,
        _ done: @escaping @Sendable (QueryOutcome) -> Void
    ) {
        let query = Query(self, deadline, done)
        // The reference is released by the callback, or after a cancellation that rules the callback out.
        let retained = unsafe Unmanaged.passRetained(query)
        let status = unsafe ub_resolve_async(
            self.pointer, name, Int32(type), 1, retained.toOpaque(), Self.callback, &query.identifier)
        guard status == 0 else {
            unsafe retained.release()
            return done(.unavailable(Self.text(status)))
        }
        self.queries[query.identifier] = query
    }

    /// Runs the callbacks of what has been answered.
    func process() { _ = unsafe ub_process(self.pointer) }

    /// Ends the queries whose time is over.
    func expire(at now: ContinuousClock.Instant) {
        for query in Array(self.queries.values) where query.deadline <= now { self.cancel(query, .timedOut) }
    }

    /// Ends all queries.
    func failAll(_ reason: String) {
        for query in Array(self.queries.values) { self.cancel(query, .unavailable(reason)) }
    }

    /// Frees the context; the last call.
    func delete() { Self.shared.withLock { _ in unsafe ub_ctx_delete(self.pointer) } }

    private func cancel(_ query: Query, _ outcome: QueryOutcome) {
        self.queries[query.identifier] = nil
        // Only a successful cancellation promises that the callback, which would use the reference, never comes.
        if unsafe ub_cancel(self.pointer, query.identifier) == 0 {
            unsafe Unmanaged.passUnretained(query).release()
        }
        query.done(outcome)
    }

    private func completed(_ query: Query, _ outcome: QueryOutcome) {
        guard self.queries.removeValue(forKey: query.identifier) != nil else { return }
        query.done(outcome)
    }

    private static let callback: ub_callback_type = { data, status, result in
        // libunbound hands over the result; it is freed here whatever happens.
        defer { unsafe ub_resolve_free(result) }
        guard let data = unsafe data else { return }
        // This is the reference that `resolve` retained, and it comes back once.
        let query = unsafe Unmanaged<Query>.fromOpaque(data).takeRetainedValue()
        guard status == 0, let result = unsafe result else {
            return query.context.completed(query, .unavailable(UnboundContext.text(status)))
        }
        query.context.completed(query, .answered(unsafe UnboundContext.copy(result.pointee)))
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
            rcode: Int(unsafe result.rcode), isSecure: unsafe result.secure != 0, bogusReason: reason, packet: packet)
    }

    // MARK: Configuration

    private func configure(_ text: String) throws(SecureResolverError) {
        // Its own thread rather than a forked process, which would share our descriptors.
        try self.check(unsafe ub_ctx_async(self.pointer, 1), "libunbound refuses threads")
        let file = FileManager.default.temporaryDirectory.appending(path: "relay-resolver-\(UUID().uuidString).conf")
        defer { try? FileManager.default.removeItem(at: file) }
        do {
            try Data(text.utf8).write(to: file, options: .withoutOverwriting)
        } catch {
            throw .init(.libraryFailure, "cannot write libunbound's configuration", cause: "\(error)")
        }
        try self.check(unsafe ub_ctx_config(self.pointer, file.path), "libunbound refuses its options")
        // libunbound reads anchors and hints when it gets its first question; this one it answers by itself.
        var identifier: Int32 = 0
        try self.check(
            unsafe ub_resolve_async(self.pointer, "localhost.", 1, 1, nil, Self.callback, &identifier),
            "libunbound cannot start with its settings and trust anchors")
    }

    private func check(_ status: Int32, _ message: String) throws(SecureResolverError) {
        guard status == 0 else { throw .init(.libraryFailure, message, cause: Self.text(status)) }
    }

    private static func text(_ status: Int32) -> String {
        // The library's texts are constants that live as long as the program.
        unsafe ub_strerror(status).map { unsafe String(cString: $0) } ?? "error \(status)"
    }
}
