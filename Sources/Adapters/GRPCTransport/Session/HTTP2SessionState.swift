import NIOCore

/// What the callbacks of one session collect. They do nothing else but submit (control 26).
final class HTTP2SessionState {
    /// The header section that is coming in.
    struct Section {
        var stream: HTTP2StreamID
        var list = HeaderList()
        var bytes = 0
        var isOversized = false
    }

    let role: HTTP2Session.Role
    let limits: HTTP2Limits
    var events: [HTTP2Event] = []
    /// Looked up by stream: one may be gone when its data comes.
    var bodies: [HTTP2StreamID: OutboundBody] = [:]
    var section: Section?
    /// Requests that were never sent, since the peer takes none any more.
    var unsent: Set<HTTP2StreamID> = []
    var budgets: AbuseBudgets
    /// The budget that the peer overdrew.
    var overdrawn: AbuseKind?
    /// When the bytes came that are being read.
    var now: NIODeadline

    init(_ role: HTTP2Session.Role, _ limits: HTTP2Limits, at now: NIODeadline) {
        self.role = role
        self.limits = limits
        self.budgets = AbuseBudgets(limits.abuse, at: now)
        self.now = now
    }

    // MARK: Received

    func beganSection(_ stream: HTTP2StreamID) { self.section = Section(stream: stream) }

    /// A field of the section; `false` ends the session. Fields beyond the limit are counted, and not kept.
    func received(name: some Collection<UInt8>, value: some Collection<UInt8>) -> Bool {
        guard var section = self.section else { return true }
        self.section = nil
        defer { self.section = section }
        section.bytes += HeaderField.size(name: name.count, value: value.count)
        guard section.bytes <= self.limits.headerListBytes else {
            section.isOversized = true
            section.list = HeaderList()
            // So much is no mistake any more.
            guard section.bytes <= 16 * self.limits.headerListBytes else {
                self.overdrawn = .oversizedHeaders
                return false
            }
            return true
        }
        section.list.append(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
        return true
    }

    /// The section is whole; `false` ends the session.
    func endedSection(endStream: Bool) -> Bool {
        guard let section = self.section else { return true }
        self.section = nil
        guard section.isOversized else {
            self.events.append(.headers(section.stream, section.list, endStream: endStream))
            return true
        }
        self.events.append(.oversizedHeaders(section.stream, endStream: endStream))
        self.overdrawn = self.budgets.charge(.oversizedHeaders, at: self.now)
        return self.overdrawn == nil
    }

    /// Bytes of a stream; those that follow at once are joined.
    func received(_ bytes: some Collection<UInt8>, _ stream: HTTP2StreamID) {
        if case .data(stream, var joined)? = self.events.last {
            self.events.removeLast()
            joined.writeBytes(bytes)
            self.events.append(.data(stream, joined))
        } else {
            self.events.append(.data(stream, ByteBuffer(bytes: bytes)))
        }
    }

    func closed(_ stream: HTTP2StreamID, _ code: UInt32) {
        self.bodies[stream] = nil
        let wasSent = self.unsent.remove(stream) == nil
        self.events.append(.closed(stream, wasSent ? HTTP2ErrorCode(rawValue: code) : .refusedStream))
    }

    // MARK: Sent

    /// A frame went out. Resets that the peer provokes are charged to it like its own.
    func sent(_ frame: FrameHeader, resetCode: UInt32?) {
        switch frame.type {
        case 0x0, 0x1: self.budgets.sentFrame(bytes: frame.length)
        case 0x3:
            let ours: [HTTP2ErrorCode] = [.noError, .cancel, .refusedStream]
            guard let resetCode, !ours.contains(HTTP2ErrorCode(rawValue: resetCode)) else { return }
            self.overdrawn = self.overdrawn ?? self.budgets.charge(.resets, at: self.now)
        default: ()
        }
    }
}
