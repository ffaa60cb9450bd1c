import ControlAPI
import MailModel
import SwiftProtobuf

extension Timestamp {
    init(_ time: Google_Protobuf_Timestamp) {
        let (microseconds, overflow) = time.seconds.multipliedReportingOverflow(by: 1_000_000)
        self.init(microseconds: overflow ? .max : microseconds &+ Int64(time.nanos / 1000))
    }
}

extension Google_Protobuf_Timestamp {
    init(_ moment: Timestamp) {
        let seconds = moment.microseconds / 1_000_000
        self.init(seconds: seconds, nanos: Int32(moment.microseconds - seconds * 1_000_000) * 1000)
    }
}

extension Duration {
    init(_ time: Google_Protobuf_Duration) {
        self = .seconds(time.seconds) + .nanoseconds(Int64(time.nanos))
    }
}

extension Google_Protobuf_Duration {
    init(_ time: Duration) {
        self.init()
        self.seconds = time.components.seconds
        self.nanos = Int32(time.components.attoseconds / 1_000_000_000)
    }
}

extension ControlResourceKey {
    /// Such as `domain/alpha.test`.
    var words: String { "\(self.type.words)/\(self.name)" }
}

extension ControlResourceType {
    var words: String {
        switch self {
        case .domain: "domain"
        case .recipientListPart: "recipients"
        case .user: "user"
        case .certificate: "certificate"
        case .settings: "settings"
        case .unspecified, .UNRECOGNIZED: "resource"
        }
    }
}

extension ControlNodeStatus {
    var words: String {
        switch self {
        case .current: "current"
        case .behind: "behind"
        case .refusing: "refusing"
        case .away: "away"
        case .expired: "expired"
        case .revoked: "revoked"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}

extension ControlRotationPhase {
    var words: String {
        switch self {
        case .settled: "settled"
        case .trustingBoth: "trusting-both"
        case .issuingNew: "issuing-new"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}

extension [UInt8] {
    /// In lower-case hexadecimal digits.
    var hex: String {
        self.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
