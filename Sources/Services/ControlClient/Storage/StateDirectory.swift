package import Cryptography
package import OperatingSystem

/// The folder in which a node keeps who it is, and what it served by last. All of it is the node's alone (mode 0600).
///
/// | file | what it has |
/// |---|---|
/// | `identity.pem` | key, certificate and authorities of the node |
/// | `identity.key` | before the first certificate: the key that it is asked for with |
/// | `last-good` | the last state that the node served by, sealed to its key |
package struct StateDirectory: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    package var identityPath: String { "\(self.path)/identity.pem" }
    var keyPath: String { "\(self.path)/identity.key" }
    var lastGoodPath: String { "\(self.path)/last-good" }

    /// What `identity.pem` has.
    package enum Identity: Sendable {
        case none
        case found(ClusterCredential)
        /// It is there, and cannot be used; in words, with the path.
        case unusable(String)
    }

    package var identity: Identity {
        guard PrivateFile.exists(self.identityPath) else { return .none }
        do throws(ClusterCredentialError) {
            return .found(try ClusterCredential(file: self.identityPath))
        } catch {
            return .unusable(error.message)
        }
    }

    /// Keeps a credential. The key that it was asked for with is of no more use then.
    package func keep(_ credential: ClusterCredential) throws(PrivateFile.Fault) {
        try credential.write(to: self.identityPath)
        try PrivateFile.remove(self.keyPath)
    }

    /// The key to enrol with. It is kept before it is used, so that a call that is repeated after a crash has the same key
    /// (control 11). A file that is no key is replaced: nothing was ever made with it.
    package func enrolmentKey() throws -> PrivateKey {
        if let kept = try? BoundedFile.read(self.keyPath, limit: 64 << 10, isSecret: true),
            let key = try? PrivateKey(pem: kept.bytes)
        {
            return key
        }
        let key = try PrivateKey(.p256)
        try PrivateFile.replace(self.keyPath, with: Array(key.pem.utf8))
        return key
    }
}
