import Foundation
import Testing

@testable import FuzzTargets

@Suite("What the fuzzer has learnt holds", .timeLimit(.minutes(5)))
struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzzing/Corpus")

    @Test("Every seed and every past failure keeps all promises", arguments: FuzzTarget.allCases)
    func replay(_ target: FuzzTarget) throws {
        let folder = Self.corpus.appending(path: target.rawValue)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            let input = Array(try Data(contentsOf: file))
            #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.check(input) }
            // A cut and a doubled input are cheap neighbours, which the fuzzer would try first.
            #expect(throws: Never.self, "half of \(file.lastPathComponent)") {
                try target.check(Array(input.prefix(input.count / 2)))
            }
            #expect(throws: Never.self, "twice \(file.lastPathComponent)") { try target.check(input + input) }
        }
    }

    @Test("Every seed of the sessions keeps all promises in every state")
    func everywhere() throws {
        for name in [FuzzTarget.serverSession, .clientSession].map(\.rawValue) {
            let folder = Self.corpus.appending(path: name)
            for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
                let input = Array(try Data(contentsOf: file))
                #expect(throws: Never.self, "\(file.lastPathComponent)") {
                    try ServerSessionCheck.check(input, everywhere: true)
                    try ClientSessionCheck.check(input, everywhere: true)
                }
            }
        }
    }

    @Test("The corpus has no folder that no target reads")
    func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path())
        #expect(Set(folders) == Set(FuzzTarget.allCases.map(\.rawValue)))
    }

    @Test("Sessions come to every state that inputs are played in")
    func states() {
        #expect(ServerSessionCheck.stateCount == 10)
        #expect(ClientSessionCheck.stageCount == 14)
    }
}
