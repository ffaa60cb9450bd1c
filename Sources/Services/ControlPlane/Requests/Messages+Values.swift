import ClusterModel
import ControlAPI
import MailModel
import SwiftProtobuf

extension Google_Protobuf_Timestamp {
    init(_ moment: Timestamp) {
        let (seconds, rest) = moment.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        // Nanoseconds count upwards, before 1970 too.
        self.init(seconds: rest < 0 ? seconds - 1 : seconds, nanos: Int32((rest < 0 ? rest + 1_000_000 : rest) * 1_000))
    }
}

extension Timestamp {
    /// The moment; `nil` outside of the years that protocol buffers have.
    init?(_ message: Google_Protobuf_Timestamp) {
        guard (-62_135_596_800...253_402_300_799).contains(message.seconds), (0..<1_000_000_000).contains(message.nanos)
        else { return nil }
        self.init(microseconds: message.seconds * 1_000_000 + Int64(message.nanos) / 1_000)
    }
}

extension Google_Protobuf_Duration {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(seconds: seconds, nanos: Int32(attoseconds / 1_000_000_000))
    }
}

extension ControlResourceKey {
    init(_ key: ResourceKey) {
        self.init()
        self.type = ControlResourceType(key.type)
        self.name = key.name
    }
}

extension ResourceKey {
    /// The longest name of a resource: a user's.
    static let maximumNameBytes = 320

    /// `nil` for a type that there is not, or a name that no resource can have.
    init?(_ message: ControlResourceKey) {
        guard let type = Int16(exactly: message.type.rawValue).flatMap(ResourceType.init(rawValue:)),
            (1...Self.maximumNameBytes).contains(message.name.utf8.count)
        else { return nil }
        self.init(type: type, name: message.name)
    }
}

extension ControlResourceType {
    init(_ type: ResourceType) {
        self =
            switch type {
            case .domain: .domain
            case .recipientListPart: .recipientListPart
            case .user: .user
            case .certificate: .certificate
            case .settings: .settings
            }
    }
}

extension ControlRefusal {
    init(_ refusal: WatchRefusal) {
        self.init()
        self.stateVersion = refusal.stateVersion
        if let key = refusal.resource { self.resource = ControlResourceKey(key) }
        self.reason = refusal.reason
    }
}

extension ControlRole {
    /// The role; a node's where none is named. `nil` for one that nobody can have by a token.
    var requested: ClusterRole? {
        switch self {
        case .unspecified, .node: .node
        case .admin: .admin
        case .viewer: .viewer
        case .UNRECOGNIZED: nil
        }
    }
}

extension ControlRotationPhase {
    init(_ phase: RotationPhase) {
        self =
            switch phase {
            case .settled: .settled
            case .trustingBoth: .trustingBoth
            case .issuingNew: .issuingNew
            }
    }
}

extension RotationPhase {
    init?(_ phase: ControlRotationPhase) {
        switch phase {
        case .settled: self = .settled
        case .trustingBoth: self = .trustingBoth
        case .issuingNew: self = .issuingNew
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}
