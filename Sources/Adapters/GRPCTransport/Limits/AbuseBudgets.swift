import NIOCore

/// What a peer may do often without harm, and not without end (control 24).
package enum AbuseKind: String, Hashable, Sendable, CaseIterable {
    /// Streams that the peer resets, or that it makes us reset.
    case resets
    case continuations
    case pings
    case settings
    case priorities
    case windowUpdates = "window_updates"
    /// DATA frames that neither carry a byte nor end the stream.
    case emptyData = "empty_data"
    /// Header lists beyond the limit.
    case oversizedHeaders = "oversized_headers"
    /// Frames of types that gRPC has no use for.
    case otherFrames = "other_frames"
    /// Frames queued for a peer that does not read.
    case unreadFrames = "unread_frames"
}

/// The allowance of each kind of abuse.
package struct AbuseLimits: Hashable, Sendable {
    package var resets = Allowance(burst: 20, perSecond: 1)
    package var continuations = Allowance(burst: 16, perSecond: 2)
    package var pings = Allowance(burst: 100, perSecond: 20)
    package var settings = Allowance(burst: 50, perSecond: 2)
    package var priorities = Allowance(burst: 100, perSecond: 10)
    /// Beside two for each frame of ours, and one for each 16 bytes of it.
    package var windowUpdates = Allowance(burst: 2_000, perSecond: 200)
    package var emptyData = Allowance(burst: 100, perSecond: 10)
    package var oversizedHeaders = Allowance(burst: 10, perSecond: 1)
    package var otherFrames = Allowance(burst: 100, perSecond: 10)

    package init() {}

    fileprivate func allowance(_ kind: AbuseKind) -> Allowance? {
        switch kind {
        case .resets: self.resets
        case .continuations: self.continuations
        case .pings: self.pings
        case .settings: self.settings
        case .priorities: self.priorities
        case .windowUpdates: self.windowUpdates
        case .emptyData: self.emptyData
        case .oversizedHeaders: self.oversizedHeaders
        case .otherFrames: self.otherFrames
        case .unreadFrames: nil
        }
    }
}

/// A frame as its header describes it (RFC 9113 §4.1).
struct FrameHeader: Hashable, Sendable {
    var type: UInt8
    var flags: UInt8
    var length: Int

    /// Which budget it is charged to. Headers and data that carry something are bounded by streams and windows instead.
    var kind: AbuseKind? {
        switch self.type {
        case 0x0 where self.length == 0 && self.flags & 0x1 == 0: .emptyData
        case 0x0, 0x1, 0x7: nil
        case 0x2: .priorities
        case 0x3: .resets
        case 0x4: .settings
        case 0x6: .pings
        case 0x8: .windowUpdates
        case 0x9: .continuations
        default: .otherFrames
        }
    }
}

/// What is left to one peer of each allowance. The library below counts some of this too; these do not rely on it.
struct AbuseBudgets: Hashable, Sendable {
    private var buckets: [AbuseKind: TokenBucket] = [:]

    init(_ limits: AbuseLimits, at now: NIODeadline) {
        for kind in AbuseKind.allCases {
            self.buckets[kind] = limits.allowance(kind).map { TokenBucket($0, at: now) }
        }
    }

    /// Charges a frame that begins; gives the budget that it overdraws.
    mutating func received(_ frame: FrameHeader, at now: NIODeadline) -> AbuseKind? {
        frame.kind.flatMap { self.charge($0, at: now) }
    }

    /// Charges an act; gives its kind if there is nothing left.
    mutating func charge(_ kind: AbuseKind, at now: NIODeadline) -> AbuseKind? {
        self.buckets[kind]?.take(at: now) == false ? kind : nil
    }

    /// A frame of ours gives the peer reason to open windows, of its stream and of the connection: at once, or as it takes the
    /// messages in the frame.
    mutating func sentFrame(bytes: Int) { self.buckets[.windowUpdates]?.give(2 + Double(bytes) / 16) }
}
