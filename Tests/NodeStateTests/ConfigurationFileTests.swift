import Cryptography
import Foundation
import LabPeers
import LabSupport
import MailModel
import OperatingSystem
import RelayConfiguration
import SecureResolver
import TestLiterals
import Testing

@testable import NodeState

@Suite("The files that the configuration names", .timeLimit(.minutes(3)))
struct ConfigurationFileTests {
    /// What is wrong with the files of this configuration, one line each.
    private func problems(_ yaml: String) async throws -> [String] {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        let loaded = try loader.load()
        do {
            _ = try await loaded.checkFiles(
                relayd: try BuiltProgram.named("relayd").path, time: .system, random: .system)
            return []
        } catch let error as ConfigurationError {
            return error.problems.map(\.description)
        }
    }

    @Test("Every file that cannot be read is named, with its key and the line that names it")
    func absentFiles() async throws {
        let yaml = """
            tls:
              certificates: [{certificate: /absent/chain, key: /absent/key}, {certificate: /absent/b, key: /absent/k}]
            resolver:
              trust-anchor-files: [/absent/root.key]
              root-hints: /absent/hints
            """
        #expect(
            Set(try await self.problems(yaml)) == [
                "relayd.yaml:2: tls.certificates[0]: /absent/chain: cannot be read: there is no such file",
                "relayd.yaml:2: tls.certificates[1]: /absent/b: cannot be read: there is no such file",
                "relayd.yaml:4: resolver.trust-anchor-files[0]: /absent/root.key: cannot be read: there is no such file",
                "relayd.yaml:5: resolver.root-hints: /absent/hints: cannot be read: there is no such file",
            ])
    }

    @Test("A key that others can read and a trust anchor without a record are refused (hostile-input 41)")
    func badFiles() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "relay-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (chain, key) = (folder.appending(path: "chain.pem"), folder.appending(path: "key.pem"))
        let anchor = folder.appending(path: "root.key")
        let leaf = try TestPKI().leaf("mx.example")
        try Data(leaf.chainPEM.utf8).write(to: chain)
        try Data(leaf.key.pem.utf8).write(to: key)
        try Data(". IN DS 20326 8 2 \(String(repeating: "ab", count: 32))\n".utf8).write(to: anchor)
        let yaml = """
            tls: {certificates: [{certificate: "\(chain.path)", key: "\(key.path)"}]}
            resolver: {trust-anchor-files: ["\(anchor.path)"]}
            """
        func setMode(_ mode: Int) throws {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: key.path)
        }
        try setMode(0o644)
        let exposed = try #require(try await self.problems(yaml).first)
        #expect(exposed.hasPrefix("relayd.yaml:1: tls.certificates[0]: \(key.path): others can read"))
        try setMode(0o640)
        #expect(try await self.problems(yaml) == [])
        try Data("; nothing here\n".utf8).write(to: anchor)
        let empty = try #require(try await self.problems(yaml).first)
        #expect(empty.hasPrefix("relayd.yaml:2: resolver.trust-anchor-files: ") && empty.contains(anchor.path))
    }

    @Test("A certificate that has expired is no refusal: a start takes it, and `config check` warns")
    func expiredCertificate() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "relay-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let leaf = try TestPKI().leaf("edge.example", validity: .expired)
        let (chain, key) = (folder.appending(path: "chain.pem"), folder.appending(path: "key.pem"))
        try Data(leaf.chainPEM.utf8).write(to: chain)
        try Data(leaf.key.pem.utf8).write(to: key)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(
            path: "relayd.yaml", text: "tls: {certificates: [{certificate: '\(chain.path)', key: '\(key.path)'}]}")
        let warnings = try await loader.load().checkFiles(
            relayd: try BuiltProgram.named("relayd").path, time: .system, random: .system
        )
        .map(\.description)
        #expect(warnings.count == 1)
        let warning = warnings.first ?? ""
        #expect(
            warning.hasPrefix("relayd.yaml:1: tls.certificates[0]: ") && warning.contains("expired at"), "\(warning)")
    }

    @Test(
        "A reload starts a resolver to check it only where settings or files are others than those at work (field D6)")
    func resolverAtWork() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "relay-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let anchor = folder.appending(path: "root.key")
        let program = try BuiltProgram.named("relayd").path
        func load(_ digest: String, timeout: String = "30s") throws -> LoadedConfiguration {
            try Data(". IN DS 20326 8 2 \(String(repeating: digest, count: 32))\n".utf8).write(to: anchor)
            var loader = ConfigurationLoader(hostName: "edge.example")
            let text = "resolver: {trust-anchor-files: [\"\(anchor.path)\"], timeout: \(timeout)}"
            loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: text)
            return try loader.load()
        }
        let first = try await ConfiguredFiles(try load("ab"), relayd: program, time: .system)
        let again = try await ConfiguredFiles(try load("ab"), relayd: program, running: first.resolver, time: .system)
        #expect(again.resolver === first.resolver)
        for (digest, timeout) in [("cd", "30s"), ("ab", "20s")] {
            let other = try await ConfiguredFiles(
                try load(digest, timeout: timeout), relayd: program, running: first.resolver, time: .system)
            #expect(other.resolver !== first.resolver)
            await other.resolver.shutdown()
        }
        await first.resolver.shutdown()
    }
}
