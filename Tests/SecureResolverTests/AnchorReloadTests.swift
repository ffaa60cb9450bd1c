import DNSModel
import Foundation
import LabDNS
import LabSupport
import MailModel
import SecureResolver
import TestLiterals
import Testing

@Suite("Trust anchors that are replaced while the node runs", WithLabInternet(), .timeLimit(.minutes(2)))
struct AnchorReloadTests {
    private static let wrong = ". DS 20326 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"

    private func withAnchor(_ body: (_ file: URL, _ right: String) async throws -> Void) async throws {
        let internet = try #require(LabInternet.current)
        let file = FileManager.default.temporaryDirectory.appending(path: "relay-anchor-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try await body(file, try String(contentsOf: internet.trustAnchorFile, encoding: .utf8))
    }

    @Test("A start with a wrong anchor, and the right one put there: the resolver at work takes it (field D1)")
    func repaired() async throws {
        try await self.withAnchor { file, right in
            try Data(Self.wrong.utf8).write(to: file)
            let resolver = try await LabInternet.resolver(anchor: .file(file.path))
            guard case .notValidating = await resolver.selfTest() else {
                Issue.record("it validates from a wrong anchor")
                return
            }
            guard case .failed(.bogus) = await resolver.answer(to: .init("host.plain.test", .a)) else {
                Issue.record("an answer without a working anchor")
                return
            }
            try Data(right.utf8).write(to: file)
            #expect(await resolver.reload() == nil)
            #expect(await resolver.selfTest() == .validating)
            let address = DNSRecord.address(IPAddress("192.0.2.1")!)
            #expect(await resolver.answer(to: .init("mx.alpha.test", .a)) == .found([address], .secure))
            // What was bogus is forgotten with the resolver that said so.
            guard case .found(_, .insecure, _) = await resolver.answer(to: .init("host.plain.test", .a)) else {
                Issue.record("\(await resolver.answer(to: .init("host.plain.test", .a)))")
                return
            }
            await resolver.shutdown()
        }
    }

    @Test(
        "The self-test asks the resolver at work, and one that fails is compared with a fresh one and replaced (field D1, A6)"
    )
    func compared() async throws {
        try await self.withAnchor { file, right in
            try Data(Self.wrong.utf8).write(to: file)
            let resolver = try await LabInternet.resolver(anchor: .file(file.path))
            let before = resolver.children
            try Data(right.utf8).write(to: file)
            #expect(await resolver.selfTest() == .validating, "a fresh one is made of the anchors as they are now")
            #expect(await resolver.selfTest() == .validating)
            #expect(Set(resolver.children).isDisjoint(with: before))
            await resolver.shutdown()
        }
    }

    @Test("An anchor that does not validate, or a file that is none, is not taken (field D1)")
    func refused() async throws {
        try await self.withAnchor { file, right in
            try Data(right.utf8).write(to: file)
            let resolver = try await LabInternet.resolver(anchor: .file(file.path))
            let before = resolver.children
            #expect(await resolver.reload() == nil)
            for text in [Self.wrong, "nothing\n"] {
                try Data(text.utf8).write(to: file)
                #expect(await resolver.reload() != nil)
            }
            #expect(await resolver.selfTest() == .validating)
            #expect(resolver.children == before)
            await resolver.shutdown()
        }
    }

    @Test("Anchors that were refused are not tried each second, unless somebody asks or the file says something else")
    func paced() async throws {
        try await self.withAnchor { file, right in
            try Data(right.utf8).write(to: file)
            let program = try CountedProgram(BuiltProgram.named("relayd"))
            defer { program.remove() }
            let resolver = try await LabInternet.resolver(anchor: .file(file.path)) {
                $0.executable = program.script.path
            }
            let atStart = try program.starts
            try Data(Self.wrong.utf8).write(to: file)
            let reasons = [
                await resolver.reload(isRoutine: true), await resolver.reload(isRoutine: true),
                await resolver.reload(isRoutine: true),
            ]
            #expect(reasons[0] != nil && Set(reasons).count == 1)
            #expect(try program.starts == atStart + 1, "three looks, one process")
            #expect(await resolver.reload() != nil)
            #expect(try program.starts == atStart + 2, "an operator's word is obeyed at once")
            try Data((Self.wrong + Self.wrong.replacing("20326", with: "20327")).utf8).write(to: file)
            #expect(await resolver.reload(isRoutine: true) != nil)
            #expect(try program.starts == atStart + 3, "other anchors are tried at once")
            await resolver.shutdown()
        }
    }

    @Test("A child that is killed is replaced, and what it had under way is answered (field 0)")
    func killed() async throws {
        let resolver = try await LabInternet.resolver { $0.cacheEntries = 0 }
        let address = DNSRecord.address(IPAddress("192.0.2.1")!)
        for signal in [SIGKILL, SIGSEGV, SIGSTOP] {
            let child = try #require(resolver.children.first)
            kill(child, signal)
            let begun = ContinuousClock.now
            #expect(await resolver.answer(to: .init("mx.alpha.test", .a)) == .found([address], .secure), "\(signal)")
            print("after signal \(signal): answered within \(ContinuousClock.now - begun)")
            // Another child may answer before the death of this one is known. A number that is free again is never signalled.
            while signal != SIGSTOP, resolver.children.contains(child) { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(resolver.statistics.processes.quarantines == 0)
        await resolver.shutdown()
    }
}

/// A script that runs a program, and keeps count of that.
private struct CountedProgram {
    let script: URL
    private let count: URL

    init(_ program: URL) throws {
        self.script = FileManager.default.temporaryDirectory.appending(path: "relay-counted-\(UUID().uuidString)")
        self.count = self.script.appendingPathExtension("count")
        let text = "#!/bin/sh\necho >>'\(self.count.path)'\nexec '\(program.path)' \"$@\"\n"
        try Data(text.utf8).write(to: self.script)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: self.script.path)
    }

    var starts: Int { get throws { try Data(contentsOf: self.count).count } }

    func remove() { for file in [self.script, self.count] { try? FileManager.default.removeItem(at: file) } }
}
