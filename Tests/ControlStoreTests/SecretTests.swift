import ClusterModel
import Cryptography
import LabDatabase
import PostgresDriver
import Testing

@testable import ControlStore

@Suite("Rewrapping of secrets", .timeLimit(.minutes(2)))
struct SecretTests {
    private let key = ResourceKey(type: .certificate, name: "main")

    @Test("control 17: secrets that are sealed under another key are found, wherever they are, as the seals are made")
    func finding() async throws {
        try await ControlFixture.run { control in
            let (old, new) = (SealingKey.random(), SealingKey.random())
            let secret = try SealedSecret(sealing: Array("a key".utf8), for: [1], under: old).encoded
            try await control.put(self.key, "chain", secret: secret)
            try await control.put(ControlFixture.domain("alpha.test"), "no secret")
            let found = try await control.store.secretsNot(under: new.identifier)
            #expect(
                found == [
                    PlacedSecret(
                        place: .authority(ControlFixture.authority(1).sha256),
                        sealed: ControlFixture.sealed("key of authority 1")),
                    PlacedSecret(place: .resource(self.key), sealed: secret),
                ])
            let remaining = try await control.store.secretsNot(under: old.identifier)
            #expect(remaining.map(\.place) == [.authority(ControlFixture.authority(1).sha256)])
            #expect(try await control.store.secretsNot(under: new.identifier, limit: 1).count == 1)
        }
    }

    @Test("control 17: a rewrapped secret takes the place of the one that was seen, and of no other; versions stay")
    func replacing() async throws {
        try await ControlFixture.run { control in
            let (old, new) = (ControlFixture.sealed("k"), ControlFixture.sealed("k", under: "fedcba9876543210"))
            try await control.put(self.key, "chain", secret: old)
            let place = SecretPlace.resource(self.key)
            #expect(try await control.store.replaceSecret(place, old: [9], new: new) == false)
            #expect(try await control.store.replaceSecret(place, old: old, new: new))
            // Repeated after its reply was lost.
            #expect(try await control.store.replaceSecret(place, old: old, new: new))
            #expect(try await control.store.replaceSecret(place, old: old, new: [8]) == false)
            let state = try await control.store.load()
            #expect(state.version == 2)
            #expect(state.resources.map(\.secret) == [new])
            #expect(state.resources.map(\.version) == [2])

            // Somebody has replaced the secret itself meanwhile.
            try await control.put(self.key, "chain", secret: ControlFixture.sealed("k2"))
            #expect(try await control.store.replaceSecret(place, old: new, new: old) == false)
            try await control.put(self.key, nil)
            #expect(try await control.store.replaceSecret(place, old: ControlFixture.sealed("k2"), new: old) == false)
        }
    }

    @Test("control 17: the key of an authority is rewrapped; an erased one is not found, and takes nothing")
    func authorities() async throws {
        try await ControlFixture.run { control in
            let first = ControlFixture.authority(1)
            let new = ControlFixture.sealed("key of authority 1", under: "fedcba9876543210")
            let place = SecretPlace.authority(first.sha256)
            #expect(try await control.store.replaceSecret(place, old: first.sealedKey, new: new))
            #expect(try await control.store.authorities().map(\.sealedKey) == [new])
            #expect(try await control.store.secretsNot(under: "fedcba9876543210") == [])
            try await control.store.recover(
                try ControlFixture.certificate(.admin, "root", by: 2), authority: ControlFixture.authority(2),
                ControlFixture.change("cluster.recover"))
            let found = try await control.store.secretsNot(under: "fedcba9876543210")
            #expect(found.map(\.place) == [.authority(ControlFixture.authority(2).sha256)])
            #expect(try await control.store.replaceSecret(place, old: new, new: first.sealedKey) == false)
        }
    }

    @Test("control 17: many who rewrap at once leave each secret in one of its wrappings, and none is lost")
    func together() async throws {
        try await ControlFixture.run(size: 8) { control in
            let old = ControlFixture.sealed("k")
            try await control.put(self.key, "chain", secret: old)
            let done = try await withThrowingTaskGroup { group in
                for number in 0..<12 {
                    group.addTask {
                        let new = ControlFixture.sealed("k \(number)", under: "fedcba9876543210")
                        return try await control.store.replaceSecret(.resource(self.key), old: old, new: new)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(done.filter(\.self).count == 1)
        }
    }

    @Test("control 17: the name of the key changes by compare-and-set, with its row of the audit")
    func naming() async throws {
        try await ControlFixture.run { control in
            let change = ControlFixture.change("keys.rewrap", "cluster/mail-eu")
            let early = try await control.store.setKey("new", replacing: "other", change)
            #expect(early == false)
            #expect(try await control.store.setKey("new", replacing: ControlFixture.key, change))
            #expect(try await control.store.cluster()?.keyIdentifier == "new")
            #expect(try await control.store.audit().map(\.change.action) == ["keys.rewrap", "cluster.create"])
        }
    }
}
