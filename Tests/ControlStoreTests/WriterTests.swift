import ClusterModel
import ControlStore
import LabDatabase
import PostgresDriver
import Synchronization
import Testing

@Suite("Writers at the same time", .timeLimit(.minutes(3)))
struct WriterTests {
    /// Each writer writes this many resources, all with the same content, many times.
    private let resourcesOfWriter = 5

    private func keys(of writer: Int) -> [ResourceKey] {
        (0..<self.resourcesOfWriter).map { ControlFixture.domain("w\(writer)-\($0).test") }
    }

    private func write(_ control: ControlFixture, _ writer: Int, _ round: Int) async throws -> WriteOutcome {
        // Every third round removes them.
        let content = round % 3 == 2 ? nil : Array("\(writer) \(round)".utf8)
        return try await control.store.write(
            self.keys(of: writer).map { ResourceWrite(key: $0, content: content, base: nil) },
            [ControlFixture.change("writer.write", "writer/\(writer)", after: "\(round)")])
    }

    @Test("Versions grow by one, each belongs to one write, and each write has its row of the audit")
    func versions() async throws {
        try await ControlFixture.run(size: 8) { control in
            let all = try await withThrowingTaskGroup { group in
                for writer in 0..<8 {
                    group.addTask {
                        var own: [UInt64] = []
                        for round in 0..<10 {
                            if case .written(let version) = try await self.write(control, writer, round) {
                                own.append(version)
                            }
                        }
                        #expect(own == own.sorted())
                        return own
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }.sorted()
            }
            #expect(all == Array(2...81))
            let audited = try await control.store.audit().compactMap(\.stateVersion).sorted()
            #expect(audited == all)
        }
    }

    /// Reads until the writers have ended; each reading is as whole as each write was.
    private func read(
        _ store: ControlStore, _ isOver: Flag, follow: Bool
    ) async throws -> Int {
        var state = try await store.load()
        var readings = 0
        while true {
            let isLast = isOver.isSet
            let next: StoredState
            if follow {
                next = state.applying(try #require(try await store.changes(after: state.version)))
            } else {
                next = try await store.load()
            }
            #expect(next.version >= state.version)
            state = next
            readings += 1
            for writer in 0..<4 {
                let own = state.resources.filter { self.keys(of: writer).contains($0.key) }
                #expect(own.isEmpty || own.count == self.resourcesOfWriter)
                #expect(Set(own.map(\.content)).count <= 1 && Set(own.map(\.version)).count <= 1)
            }
            #expect(state.resources.allSatisfy { $0.version <= state.version })
            if isLast { break }
        }
        #expect(state == (try await store.load()))
        return readings
    }

    @Test(
        "Readers see no version of the state with less than its resources, and changes lead to the same state",
        arguments: [false, true])
    func readers(_ follow: Bool) async throws {
        try await ControlFixture.run(size: 8) { control in
            let isOver = Flag()
            let readings = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 { group.addTask { try await self.read(control.store, isOver, follow: follow) } }
                try await withThrowingTaskGroup { writers in
                    for writer in 0..<4 {
                        writers.addTask { for round in 0..<30 { _ = try await self.write(control, writer, round) } }
                    }
                    try await writers.waitForAll()
                }
                isOver.set()
                return try await group.reduce(0, +)
            }
            #expect(readings > 10)
            #expect(try await control.store.stateVersion() == 121)
        }
    }

    @Test("Of two who have seen the same version one writes, and the other learns the version of the first")
    func race() async throws {
        try await ControlFixture.run(size: 8) { control in
            let key = ControlFixture.domain("alpha.test")
            try await control.put(key, "0")
            for base: UInt64 in 2..<12 {
                let outcomes = try await withThrowingTaskGroup { group in
                    for writer in 0..<5 {
                        group.addTask { try await control.put(key, "\(base) \(writer)", base: base) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(outcomes.filter { $0 == .written(version: base + 1) }.count == 1)
                #expect(outcomes.filter { $0 == .conflict(key, current: base + 1) }.count == 4)
            }
        }
    }
}

/// Tells readers that the writers have ended.
private final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { self.value.withLock { $0 } }
    func set() { self.value.withLock { $0 = true } }
}
