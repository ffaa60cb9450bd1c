import ClusterModel
import ControlStore
import LabDatabase
import PostgresDriver
import Testing

@Suite("The state", .timeLimit(.minutes(2)))
struct StateTests {
    private let alpha = ControlFixture.domain("alpha.test")
    private let bravo = ControlFixture.domain("bravo.test")

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("A write gives all of its resources one version, which is the state's")
    func write() async throws {
        try await ControlFixture.run { control in
            let writes = [
                ResourceWrite(key: bravo, content: bytes("b"), base: 0),
                ResourceWrite(key: alpha, content: bytes("a"), secret: [1, 2], base: 0),
            ]
            let changes = [
                ControlFixture.change("domain.apply", "domain/bravo.test", after: "{}"),
                ControlFixture.change("domain.apply", "domain/alpha.test", after: "{}"),
            ]
            #expect(try await control.store.write(writes, changes) == .written(version: 2))
            let state = try await control.store.load()
            #expect(state.version == 2)
            #expect(
                state.resources == [
                    StoredResource(key: alpha, version: 2, content: bytes("a"), secret: [1, 2]),
                    StoredResource(key: bravo, version: 2, content: bytes("b"), secret: nil),
                ])
            #expect(try await control.store.stateVersion() == 2)
            #expect(try await control.store.audit(limit: 2).map(\.stateVersion) == [2, 2])
        }
    }

    @Test("A write on another version than the present one is a conflict that names it, and writes nothing of the rest")
    func conflict() async throws {
        try await ControlFixture.run { control in
            try await control.put(alpha, "1")
            try await control.put(alpha, "2")
            let before = try await control.everything()
            func outcome(_ writes: ResourceWrite...) async throws -> WriteOutcome {
                try await control.store.write(writes, [ControlFixture.change()])
            }
            let fresh = ResourceWrite(key: bravo, content: bytes("x"), base: 0)
            for base: UInt64 in [0, 2, 4] {
                let stale = ResourceWrite(key: alpha, content: bytes("y"), base: base)
                #expect(try await outcome(fresh, stale) == .conflict(alpha, current: 3))
            }
            // What is not there has no version that could have been seen.
            #expect(try await outcome(ResourceWrite(key: bravo, content: nil, base: 3)) == .conflict(bravo, current: 0))
            #expect(try await control.everything() == before)
            #expect(
                try await outcome(fresh, ResourceWrite(key: alpha, content: bytes("y"), base: 3))
                    == .written(version: 4))
        }
    }

    @Test("What was removed has no version: it can be made anew, and not be changed")
    func removedAndMade() async throws {
        try await ControlFixture.run { control in
            try await control.put(alpha, "1", secret: [7])
            #expect(try await control.put(alpha, nil, base: 2) == .written(version: 3))
            #expect(try await control.put(alpha, "2", base: 2) == .conflict(alpha, current: 0))
            #expect(try await control.put(alpha, "2", base: 0) == .written(version: 4))
            #expect(try await control.store.load().resources.map(\.secret) == [nil])
        }
    }

    @Test(
        "What is written as it is changes no version and enters no audit; a write keeps the versions of what stays in it"
    )
    func unchanged() async throws {
        try await ControlFixture.run { control in
            try await control.put(alpha, "1", secret: [1])
            let before = try await control.everything()
            #expect(try await control.put(alpha, "1", secret: [1], base: 2) == .unchanged(2))
            #expect(try await control.put(bravo, nil) == .unchanged(2))
            #expect(try await control.everything() == before)
            let both = [
                ResourceWrite(key: alpha, content: bytes("1"), secret: [1], base: nil),
                ResourceWrite(key: bravo, content: bytes("2"), base: nil),
            ]
            #expect(try await control.store.write(both, [ControlFixture.change()]) == .written(version: 3))
            #expect(try await control.store.load().resources.map(\.version) == [2, 3])
            #expect(try await control.put(alpha, "1", secret: [2]) == .written(version: 4))
        }
    }

    @Test("A dry run is checked like a write, tells the version that it would make, and changes nothing")
    func dryRun() async throws {
        try await ControlFixture.run { control in
            try await control.put(alpha, "1")
            let before = try await control.everything()
            func dry(_ content: String?, base: UInt64?) async throws -> WriteOutcome {
                try await control.store.write(
                    [ResourceWrite(key: alpha, content: content.map { bytes($0) }, base: base)],
                    [ControlFixture.change(isDryRun: true)])
            }
            #expect(try await dry("2", base: 2) == .written(version: 3))
            #expect(try await dry(nil, base: nil) == .written(version: 3))
            #expect(try await dry("2", base: 1) == .conflict(alpha, current: 2))
            #expect(try await dry("1", base: 2) == .unchanged(2))
            let tooLong = String(repeating: "x", count: ControlLimits.resourceBytes + 1)
            #expect(await failure { _ = try await dry(tooLong, base: nil) } == .unfit)
            #expect(try await control.everything() == before)
        }
    }

    @Test("Changes from any earlier state lead to the present one, with the names of what is gone")
    func changes() async throws {
        try await ControlFixture.run { control in
            var states = [try await control.store.load()]
            for step in 1...12 {
                let key = ControlFixture.domain("d\(step % 4).test")
                try await control.put(key, step % 3 == 0 ? nil : "\(step)")
                states.append(try await control.store.load())
            }
            let last = try #require(states.last)
            for state in states {
                let changes = try #require(try await control.store.changes(after: state.version))
                #expect(state.applying(changes) == last)
            }
            let none = try #require(try await control.store.changes(after: last.version))
            #expect(none.resources.isEmpty && none.removed.isEmpty)
            #expect(try await control.store.changes(after: last.version + 1) == nil)
            let all = try #require(try await control.store.changes(after: 0))
            #expect(all.resources == last.resources)
        }
    }

    @Test("Who has a state from before the removals that are known takes everything anew")
    func tooOld() async throws {
        try await ControlFixture.run { control in
            try await control.put(alpha, "1")
            try await control.put(bravo, "1")
            try await control.put(alpha, nil)
            let term = try #require(
                try await control.store.lead("c1", incarnation: PostgresUUID(high: 1, low: 1), for: .seconds(60)))
            var terms = RetentionTerms()
            #expect(try await control.store.sweep(terms, under: term))
            #expect(try await control.store.changes(after: 2)?.removed == [alpha])
            terms.removedResources = .zero
            #expect(try await control.store.sweep(terms, under: term))
            #expect(try await control.count("resource") == 1)
            #expect(try await control.store.changes(after: 3) == nil)
            #expect(try await control.store.changes(after: 4)?.resources == [])
            #expect(try await control.store.load().resources.map(\.key) == [bravo])
        }
    }

    @Test("What is too large, contradicts itself, or says nothing for the audit is refused, and leaves nothing")
    func unfit() async throws {
        try await ControlFixture.run { control in
            let before = try await control.everything()
            func refused(
                _ writes: [ResourceWrite], _ changes: [ControlChange] = [ControlFixture.change()]
            ) async -> Bool {
                await failure { _ = try await control.store.write(writes, changes) } == .unfit
            }
            let fit = ResourceWrite(key: alpha, content: [1], base: nil)
            let large = [UInt8](repeating: 1, count: ControlLimits.resourceBytes)
            #expect(await refused([]))
            #expect(await refused([fit, fit]))
            #expect(await refused([fit], []))
            #expect(await refused([fit], [ControlFixture.change(), ControlFixture.change(isDryRun: true)]))
            #expect(await refused([ResourceWrite(key: alpha, content: large + [1], base: nil)]))
            #expect(await refused([ResourceWrite(key: alpha, content: [1], secret: large, base: nil)]))
            #expect(await refused([ResourceWrite(key: alpha, content: nil, secret: [1], base: nil)]))
            #expect(await refused([ResourceWrite(key: ControlFixture.domain(""), content: [1], base: nil)]))
            #expect(await refused([ResourceWrite(key: ControlFixture.domain("a\0"), content: [1], base: nil)]))
            let name = String(repeating: "n", count: ControlLimits.nameBytes + 1)
            #expect(await refused([ResourceWrite(key: ControlFixture.domain(name), content: [1], base: nil)]))
            let many = (0...ControlLimits.resourcesInWrite).map {
                ResourceWrite(key: ControlFixture.domain("d\($0).test"), content: [1], base: nil)
            }
            #expect(await refused(many))
            let heavy = (0...60).map {
                ResourceWrite(key: ControlFixture.domain("d\($0).test"), content: large, base: nil)
            }
            #expect(await refused(heavy))
            for text in [ControlLimits.auditReasonBytes + 1] {
                #expect(await refused([fit], [ControlFixture.change(reason: String(repeating: "r", count: text))]))
            }
            let content = String(repeating: "c", count: ControlLimits.auditContentBytes + 1)
            #expect(await refused([fit], [ControlFixture.change(after: content)]))
            #expect(await refused([fit], [ControlFixture.change(before: content)]))
            #expect(
                await refused(
                    [fit], [ControlFixture.change(String(repeating: "a", count: ControlLimits.auditNameBytes + 1))]))
            #expect(try await control.everything() == before)
            // As large as it may be passes.
            #expect(
                try await control.store.write(Array(many.dropLast()), [ControlFixture.change()]) == .written(version: 2)
            )
            let outcome = try await control.store.write(
                [ResourceWrite(key: alpha, content: large, secret: nil, base: nil)], [ControlFixture.change()])
            #expect(outcome == .written(version: 3))
        }
    }

    @Test("Names are told apart byte by byte, and come in the order of bytes")
    func names() async throws {
        try await ControlFixture.run { control in
            let names = ["Z", "a", "a-b", "ab", "é", "e\u{301}"]
            for name in names.reversed() { try await control.put(ControlFixture.domain(name), name) }
            let keys = try await control.store.load().resources.map(\.key)
            #expect(keys == names.map { ControlFixture.domain($0) }.sorted())
        }
    }
}

extension StoredState {
    /// What a replica makes of a state and of the changes since.
    func applying(_ changes: StoredChanges) -> StoredState {
        var resources = Dictionary(uniqueKeysWithValues: self.resources.map { ($0.key, $0) })
        for key in changes.removed { resources[key] = nil }
        for resource in changes.resources { resources[resource.key] = resource }
        return StoredState(version: changes.version, resources: resources.values.sorted { $0.key < $1.key })
    }
}
