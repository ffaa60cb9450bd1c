import ClusterModel
import ControlAPI
import Cryptography
import Foundation
import MailModel
import SwiftProtobuf

// Values of ClusterModel as messages, and back.

extension ResourceType {
    init?(_ type: ControlResourceType) {
        switch type {
        case .domain: self = .domain
        case .recipientListPart: self = .recipientListPart
        case .user: self = .user
        case .certificate: self = .certificate
        case .settings: self = .settings
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    var message: ControlResourceType {
        switch self {
        case .domain: .domain
        case .recipientListPart: .recipientListPart
        case .user: .user
        case .certificate: .certificate
        case .settings: .settings
        }
    }
}

extension ResourceKey {
    init?(_ key: ControlResourceKey) {
        guard let type = ResourceType(key.type) else { return nil }
        self.init(type: type, name: key.name)
    }

    var message: ControlResourceKey {
        .with {
            $0.type = self.type.message
            $0.name = self.name
        }
    }
}

extension WatchPart<ControlResource> {
    /// Reads a response without what is of a type that this program does not know; see `unknownResource`. That such a resource is
    /// gone says nothing to a node that never had it.
    init(_ message: ControlWatchResponse) {
        let changed = message.resources.compactMap { resource in
            message.key(of: resource).map { WatchedResource(key: $0, version: resource.version, content: resource) }
        }
        self.init(
            nonce: message.nonce, base: message.baseVersion, target: message.stateVersion, changed: changed,
            removed: message.removed.compactMap(ResourceKey.init), hasMore: message.hasMore_p)
    }
}

extension ControlWatchResponse {
    /// One without content only has a name; what refreshes it has its type, too.
    fileprivate func key(of resource: ControlResource) -> ResourceKey? {
        resource.key ?? self.lifetimes.map(\.key).first { $0.name == resource.name }.flatMap(ResourceKey.init)
    }

    /// The name of a resource that only a later program knows.
    var unknownResource: String? { self.resources.first { self.key(of: $0) == nil }?.name }
}

extension ControlWatchResponse {
    var readLifetimes: [ResourceKey: Duration] {
        let pairs = self.lifetimes.compactMap { lifetime in
            ResourceKey(lifetime.key).map {
                ($0, Duration(secondsComponent: lifetime.timeToLive.seconds, attosecondsComponent: 0))
            }
        }
        return Dictionary(pairs) { $1 }
    }
}

extension ControlWatchRequest {
    init(_ beginning: WatchBeginning) {
        self.init()
        self.stateVersion = beginning.stateVersion
        self.initialResources = beginning.held.sorted { $0.key < $1.key }.map { key, version in
            .with {
                $0.key = key.message
                $0.version = version
            }
        }
    }

    init(_ answer: WatchAnswer) {
        self.init()
        self.nonce = answer.nonce
        guard let refusal = answer.refusal else { return }
        self.errorDetail = .with {
            $0.stateVersion = refusal.stateVersion
            $0.reason = refusal.reason
            if let key = refusal.resource { $0.resource = key.message }
        }
    }
}

extension ResourceSet {
    /// What a node tells that it serves.
    var served: [ControlServedResource] {
        self.inContent.sorted { $0.key < $1.key }.map { key, resource in
            .with {
                $0.key = key.message
                $0.version = resource.version
                $0.sha256 = Data(resource.sha256)
                if case .certificate(_, let certificate) = resource.content {
                    $0.notAfter = Google_Protobuf_Timestamp(certificate.chain[0].value.notAfter)
                }
            }
        }
    }
}
