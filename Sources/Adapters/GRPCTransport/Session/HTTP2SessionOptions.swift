import CNGHTTP2

/// The limits that a side sets to its peer.
package struct HTTP2Limits: Hashable, Sendable {
    /// The streams that a client may have open at a time.
    package var concurrentStreams = 100
    /// The bytes of a stream that may be on their way or wait for the application.
    package var streamWindow = 256 * 1024
    /// The bytes of all streams that may be on their way.
    package var connectionWindow = 1024 * 1024
    /// The bytes of a header list, each field counted with 32 more (control 18).
    package var headerListBytes = 8 * 1024
    package var abuse = AbuseLimits()

    package init() {}
}

/// Options of nghttp2 for one session, each that bounds something set explicitly (control 25).
@safe struct HTTP2SessionOptions: ~Copyable {
    let option: OpaquePointer

    init?(_ limits: HTTP2Limits) {
        var option: OpaquePointer?
        guard unsafe nghttp2_option_new(&option) == 0, let option = unsafe option else { return nil }
        unsafe self.option = option
        unsafe nghttp2_option_set_no_auto_window_update(option, 1)
        unsafe nghttp2_option_set_no_closed_streams(option, 1)
        // Ours are counted before these, and are no larger.
        let resets = limits.abuse.resets
        unsafe nghttp2_option_set_stream_reset_rate_limit(
            option, UInt64(2 * resets.burst), UInt64(2 * resets.perSecond.rounded(.up)))
        // It counts a frame anew for each piece of its header that comes.
        unsafe nghttp2_option_set_max_continuations(option, 18 * limits.abuse.continuations.burst)
        unsafe nghttp2_option_set_max_outbound_ack(option, 200)
        unsafe nghttp2_option_set_max_settings(option, 32)
        // A server that pushes is refused by our settings; none is kept until it knows them.
        unsafe nghttp2_option_set_max_reserved_remote_streams(option, 0)
    }

    deinit { unsafe nghttp2_option_del(self.option) }
}

extension HTTP2Limits {
    /// What is told to the peer by SETTINGS.
    func settings(_ role: HTTP2Session.Role) -> [nghttp2_settings_entry] {
        func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
            nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value))
        }
        let common = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, self.streamWindow),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, self.headerListBytes),
            entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
        ]
        switch role {
        case .server: return common + [entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, self.concurrentStreams)]
        case .client: return common + [entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)]
        }
    }
}
