import CNGHTTP2

/// The callbacks of a session, each of which finds the session's state behind `userData` and returns at once.
@safe struct HTTP2Callbacks: ~Copyable {
    let callbacks: OpaquePointer

    init?() {
        var callbacks: OpaquePointer?
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0, let callbacks = unsafe callbacks else {
            return nil
        }
        unsafe self.callbacks = callbacks
        unsafe Self.setReceiving(callbacks)
        unsafe Self.setSending(callbacks)
        unsafe Self.setNotSending(callbacks)
    }

    deinit { unsafe nghttp2_session_callbacks_del(self.callbacks) }

    @unsafe private static func setReceiving(_ callbacks: OpaquePointer) {
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, userData in
            guard let frame = unsafe frame else { return done }
            unsafe state(userData)?.beganSection(frame.pointee.hd.stream_id)
            return done
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameLength, value, valueLength, _, userData in
            // Both live for the call, and are copied.
            let name = unsafe UnsafeBufferPointer(start: name, count: nameLength)
            let value = unsafe UnsafeBufferPointer(start: value, count: valueLength)
            return unsafe state(userData)?.received(name: name, value: value) == false ? failed : done
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, stream, bytes, count, userData in
            unsafe state(userData)?.received(UnsafeBufferPointer(start: bytes, count: count), stream)
            return done
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, userData in
            guard let frame = unsafe frame, let state = unsafe state(userData) else { return done }
            return unsafe received(frame, state) ? done : failed
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, userData in
            unsafe state(userData)?.closed(stream, code)
            return done
        }
    }

    @unsafe private static func setSending(_ callbacks: OpaquePointer) {
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { session, frame, userData in
            guard let frame = unsafe frame, let state = unsafe state(userData) else { return done }
            let header = unsafe frame.pointee.hd
            let isReset = header.type == UInt8(NGHTTP2_RST_STREAM.rawValue)
            state.sent(
                FrameHeader(type: header.type, flags: header.flags, length: header.length),
                resetCode: isReset ? unsafe frame.pointee.rst_stream.error_code : nil)
            let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
            if state.role == .server, endsStream, header.type == UInt8(NGHTTP2_HEADERS.rawValue),
                unsafe nghttp2_session_get_stream_remote_close(session, header.stream_id) == 0
            {
                // The answer is whole before the question: what else the client sends is of no use (control 20, 27).
                unsafe _ = nghttp2_submit_rst_stream(
                    session, UInt8(NGHTTP2_FLAG_NONE.rawValue), header.stream_id, HTTP2ErrorCode.noError.rawValue)
            }
            return done
        }
    }

    @unsafe private static func setNotSending(_ callbacks: OpaquePointer) {
        unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, userData in
            guard let frame = unsafe frame, let state = unsafe state(userData) else { return done }
            let header = unsafe frame.pointee.hd
            if header.type == UInt8(NGHTTP2_HEADERS.rawValue),
                unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
            {
                state.unsent.insert(header.stream_id)
            }
            return done
        }
    }

    // MARK: Bodies

    /// Where the bodies of all streams come from.
    @unsafe static var provider: nghttp2_data_provider {
        unsafe nghttp2_data_provider(source: nghttp2_data_source(ptr: nil)) {
            session, stream, buffer, length, flags, _, userData in
            guard let state = unsafe state(userData) else { return Int(failed) }
            let target = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: length)
            // The stream may be gone.
            guard let step = unsafe state.bodies[stream]?.read(into: target) else {
                return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
            }
            switch step {
            case .deferred: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
            case .bytes(let count):
                return state.sent(stream, count)
            case .end(let count):
                unsafe flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue)
                return state.sent(stream, count)
            case .trailers(let count, let list):
                let flag = NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                unsafe flags?.pointee |= UInt32(flag)
                var fields = FieldBytes(list)
                unsafe fields.with { pointer, number in
                    unsafe _ = nghttp2_submit_trailer(session, stream, pointer, number)
                }
                return state.sent(stream, count)
            }
        }
    }
}

extension HTTP2SessionState {
    /// Notes bytes of a body that are on their way, and gives their number.
    fileprivate func sent(_ stream: HTTP2StreamID, _ count: Int) -> Int {
        if count > 0 { self.events.append(.sent(stream, bytes: count)) }
        return count
    }
}

private let done: Int32 = 0
private let failed = Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)

/// The state; its session keeps it alive for as long as the library calls.
@unsafe private func state(_ userData: UnsafeMutableRawPointer?) -> HTTP2SessionState? {
    unsafe userData.map { unsafe Unmanaged<HTTP2SessionState>.fromOpaque($0).takeUnretainedValue() }
}

/// A frame came whole; `false` ends the session.
@unsafe private func received(
    _ frame: UnsafePointer<nghttp2_frame>, _ state: HTTP2SessionState
) -> Bool {
    let header = unsafe frame.pointee.hd
    let endStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    let isAcknowledgement = header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
    switch header.type {
    case UInt8(NGHTTP2_DATA.rawValue) where endStream: state.events.append(.endStream(header.stream_id))
    case UInt8(NGHTTP2_HEADERS.rawValue): return state.endedSection(endStream: endStream)
    case UInt8(NGHTTP2_SETTINGS.rawValue) where !isAcknowledgement: state.events.append(.settings)
    case UInt8(NGHTTP2_PING.rawValue) where isAcknowledgement:
        state.events.append(.pingAcknowledged(unsafe payload(frame.pointee.ping)))
    case UInt8(NGHTTP2_PING.rawValue): state.events.append(.ping)
    case UInt8(NGHTTP2_GOAWAY.rawValue): state.events.append(unsafe goAway(frame.pointee.goaway))
    default: ()
    }
    return true
}

private func payload(_ ping: nghttp2_ping) -> UInt64 {
    let bytes = ping.opaque_data
    return [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5, bytes.6, bytes.7]
        .reduce(0) { $0 << 8 | UInt64($1) }
}

@unsafe private func goAway(_ frame: nghttp2_goaway) -> HTTP2Event {
    // The library owns the text for the call; a peer may send any bytes, and as much as fits a frame.
    let bytes = unsafe UnsafeBufferPointer(start: frame.opaque_data, count: frame.opaque_data_len).prefix(256)
    let message = unsafe String(decoding: bytes, as: UTF8.self)
    return unsafe .goAway(
        lastStream: frame.last_stream_id, HTTP2ErrorCode(rawValue: frame.error_code), message: message)
}
