package import ControlStore
import Cryptography

/// Seals the keys of all secrets anew under the current key-encryption key (control 17).
///
/// Replicas may run meanwhile: each secret is replaced only if it is still the one that was read.
package struct KeyRewrapping: Sendable {
    private let store: ControlStore
    private let keys: KeyRing

    package init(_ store: ControlStore, keys: KeyRing) {
        self.store = store
        self.keys = keys
    }

    /// Until nothing is sealed under another key; then no former key is needed any more.
    ///
    /// - Returns: how many secrets were sealed anew.
    package func run() async throws -> Int {
        guard let cluster = try await self.store.cluster() else {
            throw BootstrapError(.absent, "the database has no cluster: run relay-controller init")
        }
        let count = try await self.rewrapAll()
        try await self.name(replacing: cluster.keyIdentifier)
        // What a replica with the former key has sealed until it heard of the new one.
        return try await count + self.rewrapAll()
    }

    private func rewrapAll() async throws -> Int {
        var count = 0
        while true {
            let page = try await self.store.secretsNot(under: self.keys.identifier)
            if page.isEmpty { return count }
            for secret in page {
                // Who writes it meanwhile seals it, and the next page has it if that is under a former key.
                if try await self.rewrap(secret) { count += 1 }
            }
        }
    }

    /// Says which key counts, so that each replica that seals under another one notices.
    private func name(replacing former: String) async throws {
        guard former != self.keys.identifier else { return }
        _ = try await self.store.setKey(
            self.keys.identifier, replacing: former,
            ControlChange(
                actor: "relay-controller rewrap", action: "keys.rewrap", object: "key/\(self.keys.identifier)",
                before: #""\#(former)""#, after: #""\#(self.keys.identifier)""#))
    }

    private func rewrap(_ secret: PlacedSecret) async throws -> Bool {
        guard let sealed = try self.sealed(secret) else { return false }
        return try await self.store.replaceSecret(secret.place, old: secret.sealed, new: sealed)
    }

    private func sealed(_ secret: PlacedSecret) throws(BootstrapError) -> [UInt8]? {
        do throws(CryptographyError) {
            return try self.keys.rewrapped(secret.sealed)
        } catch {
            throw BootstrapError(.otherKey, error.message)
        }
    }
}
