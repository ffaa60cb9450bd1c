import CNGHTTP2
package import NIOCore

/// The owner of one nghttp2 session: bytes in, bytes and events out; no sockets, no clock. It belongs to one event loop.
///
/// Callbacks collect events and submit frames. Bytes are made by `pump`, outside of them. After a failure the session only sends what it
/// has, a GOAWAY at its end.
@safe package final class HTTP2Session {
    package enum Role: Hashable, Sendable {
        case client
        case server
    }

    private let session: OpaquePointer
    private let state: HTTP2SessionState
    private var scanner: FrameScanner
    package private(set) var failure: HTTP2Failure?

    /// A session whose preface and settings are ready to be pumped.
    package init(_ role: Role, _ limits: HTTP2Limits, at now: NIODeadline) throws(HTTP2Failure) {
        self.state = HTTP2SessionState(role, limits, at: now)
        self.scanner = FrameScanner(preface: role == .server ? 24 : 0)
        guard let callbacks = HTTP2Callbacks(), let options = HTTP2SessionOptions(limits) else {
            throw .violation("out of memory")
        }
        var session: OpaquePointer?
        // The session refers to the state, and this object keeps both.
        let state = unsafe Unmanaged.passUnretained(self.state).toOpaque()
        let create = unsafe role == .server ? nghttp2_session_server_new2 : nghttp2_session_client_new2
        let code = unsafe create(&session, callbacks.callbacks, state, options.option)
        guard code == 0, let session = unsafe session else { throw .violation(Self.text(code)) }
        unsafe self.session = session
        let settings = limits.settings(role)
        unsafe _ = nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
        unsafe _ = nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(clamping: limits.connectionWindow))
    }

    deinit { unsafe nghttp2_session_del(self.session) }

    // MARK: Bytes

    /// Reads all of these bytes; `takeEvents` has what they said. Once it has failed it reads nothing.
    package func receive(_ bytes: ByteBuffer, at now: NIODeadline) {
        guard self.failure == nil, bytes.readableBytes > 0 else { return }
        self.state.now = now
        let view = bytes.readableBytesView
        var refusal: AbuseKind?
        let refused = self.scanner.scan(view) { frame in
            refusal = self.state.budgets.received(frame, at: now)
            return refusal == nil
        }
        let count = unsafe view[..<(refused ?? view.endIndex)].withUnsafeBytes { source in
            unsafe nghttp2_session_mem_recv(
                self.session, source.baseAddress?.assumingMemoryBound(to: UInt8.self), source.count)
        }
        if let kind = self.state.overdrawn {
            self.fail(.abuse(kind))
        } else if count < 0 {
            self.fail(.violation(Self.text(Int32(count))))
        } else if let kind = refusal ?? self.unreadFrames {
            self.fail(.abuse(kind))
        }
    }

    /// Frames that wait for a peer which makes us answer and does not read.
    private var unreadFrames: AbuseKind? {
        guard self.state.role == .server else { return nil }
        let queued = unsafe nghttp2_session_get_outbound_queue_size(self.session)
        return queued > 2 * self.state.limits.concurrentStreams + 512 ? .unreadFrames : nil
    }

    private func fail(_ failure: HTTP2Failure) {
        self.failure = failure
        switch failure {
        case .abuse(let kind): self.goAway(.enhanceYourCalm, "too_many_\(kind.rawValue)")
        case .violation(let text): self.goAway(.protocolError, text)
        }
    }

    /// Appends what is to be sent to `target`, until there is nothing or `limit` bytes are there.
    package func pump(into target: inout ByteBuffer, limit: Int) {
        while target.readableBytes < limit {
            var bytes: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(self.session, &bytes)
            guard count > 0, let bytes = unsafe bytes else { break }
            // Valid until the next call; copied here.
            unsafe target.writeBytes(UnsafeRawBufferPointer(start: bytes, count: count))
        }
        if let kind = self.state.overdrawn, self.failure == nil { self.fail(.abuse(kind)) }
    }

    /// What happened since it was last asked.
    package func takeEvents() -> [HTTP2Event] {
        defer { self.state.events.removeAll(keepingCapacity: true) }
        return self.state.events
    }

    /// Whether the connection may be closed once everything pumped is flushed (control 30).
    package var isOver: Bool {
        unsafe nghttp2_session_want_read(self.session) == 0 && nghttp2_session_want_write(self.session) == 0
    }

    // MARK: Streams

    /// Begins a request whose body follows; `nil` where the connection has no numbers left.
    package func request(_ list: HeaderList) -> HTTP2StreamID? {
        var fields = FieldBytes(list)
        var provider = unsafe HTTP2Callbacks.provider
        let stream = unsafe fields.with { pointer, count in
            unsafe nghttp2_submit_request(self.session, nil, pointer, count, &provider, nil)
        }
        guard stream > 0 else { return nil }
        self.state.bodies[stream] = OutboundBody()
        return stream
    }

    /// Begins a response whose body follows.
    package func respond(_ stream: HTTP2StreamID, _ list: HeaderList) {
        self.state.bodies[stream] = OutboundBody()
        var fields = FieldBytes(list)
        var provider = unsafe HTTP2Callbacks.provider
        unsafe fields.with { pointer, count in
            unsafe _ = nghttp2_submit_response(self.session, stream, pointer, count, &provider)
        }
    }

    /// Sends a response that is nothing but a header section.
    package func respondOnly(_ stream: HTTP2StreamID, _ list: HeaderList) {
        var fields = FieldBytes(list)
        unsafe fields.with { pointer, count in
            unsafe _ = nghttp2_submit_response(self.session, stream, pointer, count, nil)
        }
    }

    /// Appends to a stream's body. The stream may be gone; then nothing happens.
    package func write(_ stream: HTTP2StreamID, _ bytes: ByteBuffer) {
        if self.state.bodies[stream]?.append(bytes) == true { self.resume(stream) }
    }

    /// Ends a stream's body.
    package func end(_ stream: HTTP2StreamID, _ ending: OutboundBody.Ending) {
        if self.state.bodies[stream]?.end(ending) == true { self.resume(stream) }
    }

    private func resume(_ stream: HTTP2StreamID) {
        unsafe _ = nghttp2_session_resume_data(self.session, stream)
    }

    package func reset(_ stream: HTTP2StreamID, _ code: HTTP2ErrorCode) {
        unsafe _ = nghttp2_submit_rst_stream(
            self.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, code.rawValue)
    }

    // MARK: Flow control

    /// Lets the peer send so many more bytes on the connection.
    package func consumeConnection(_ bytes: Int) {
        if bytes > 0 { unsafe _ = nghttp2_session_consume_connection(self.session, bytes) }
    }

    /// Lets the peer send so many more bytes on a stream, which may be gone.
    package func consume(_ stream: HTTP2StreamID, _ bytes: Int) {
        if bytes > 0 { unsafe _ = nghttp2_session_consume_stream(self.session, stream, bytes) }
    }

    // MARK: The connection

    package func ping(_ payload: UInt64) {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: payload >> UInt64(56 - 8 * $0)) }
        unsafe _ = nghttp2_submit_ping(self.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), bytes)
    }

    /// Announces that the connection will end, and names no stream (control 22).
    package func announceShutdown() { unsafe _ = nghttp2_submit_shutdown_notice(self.session) }

    /// Takes no streams above the last one that was taken.
    package func goAway(_ code: HTTP2ErrorCode, _ message: String = "") {
        let debug = Array(message.utf8)
        unsafe _ = nghttp2_submit_goaway(
            self.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(self.session),
            code.rawValue, debug, debug.count)
    }

    private static func text(_ code: Int32) -> String { unsafe String(cString: nghttp2_strerror(code)) }
}
