import ClusterModel
package import ControlAPI
import Cryptography
package import MailModel
import OperatingSystem
import SwiftProtobuf

/// The state that a node served by last, for starts while the controller is away.
package struct LastGood: Sendable {
    package let version: UInt64
    package let resources: [ControlResource]
    /// When it was the controller's word.
    package let savedAt: Timestamp

    package init(version: UInt64, resources: [ControlResource], savedAt: Timestamp) {
        self.version = version
        self.resources = resources
        self.savedAt = savedAt
    }
}

extension StateDirectory {
    /// The most bytes of the file.
    private static let mostBytes = 1 << 30

    /// Keeps a state; only who has the node's key can read it.
    package func keep(_ state: LastGood, for credential: ClusterCredential) throws {
        var message = ControlWatchResponse()
        message.stateVersion = state.version
        message.resources = state.resources
        let time = withUnsafeBytes(of: state.savedAt.microseconds.bigEndian) { Array($0) }
        let plain: [UInt8] = time + (try message.serializedBytes() as [UInt8])
        let sealed = try credential.lastGoodKey.seal(plain, for: credential.lastGoodContext)
        try PrivateFile.replace(self.lastGoodPath, with: sealed)
    }

    /// The state that was kept; `nil` if none was. Throws words that say why it cannot be used.
    package func lastGood(for credential: ClusterCredential) throws(StorageFault) -> LastGood? {
        guard PrivateFile.exists(self.lastGoodPath) else { return nil }
        do {
            let sealed = try BoundedFile.read(self.lastGoodPath, limit: Self.mostBytes, isSecret: true).bytes
            let plain = try credential.lastGoodKey.open(sealed, for: credential.lastGoodContext)
            guard plain.count >= 8 else { throw StorageFault(description: "it is too short") }
            let time = plain.prefix(8).reduce(into: UInt64(0)) { $0 = $0 << 8 | UInt64($1) }
            let message = try ControlWatchResponse(serializedBytes: Array(plain.dropFirst(8)))
            return LastGood(
                version: message.stateVersion, resources: message.resources,
                savedAt: Timestamp(microseconds: Int64(bitPattern: time)))
        } catch {
            throw StorageFault(description: "\(self.lastGoodPath): \(error)")
        }
    }
}

/// Why what was kept cannot be used.
package struct StorageFault: Error, Hashable, CustomStringConvertible {
    package let description: String
}

extension ClusterCredential {
    fileprivate var lastGoodKey: SealingKey { self.key.sealingKey(for: "last-good") }
    /// A state of another node, or of another cluster, is not this node's.
    fileprivate var lastGoodContext: [UInt8] { Array("last-good \(self.identity.uri)".utf8) }
}
