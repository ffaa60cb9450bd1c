import ClusterModel
import ControlAPI
import ControlClient
import Cryptography
import Foundation
import LabSupport
import MailModel
import OperatingSystem
import Testing

@Suite("The folder of a node's identity and last state")
struct StateDirectoryTests {
    private let cluster: TestCluster

    init() throws { self.cluster = try TestCluster() }

    private func unusable(_ identity: StateDirectory.Identity) -> String? {
        if case .unusable(let reason) = identity { reason } else { nil }
    }

    @Test("The key of an enrolment is kept before it is used, and is the same after a restart (control 11)")
    func enrolmentKey() async throws {
        try await withTemporaryFolder { folder in
            let directory = StateDirectory(folder.path)
            let key = try directory.enrolmentKey()
            #expect(try StateDirectory(folder.path).enrolmentKey().pem == key.pem)
            let mode = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/identity.key")[
                .posixPermissions]
            #expect(mode as? Int == 0o600)
            // A file that is no key is of no use to anybody.
            try Data("scribble".utf8).write(to: folder.appending(path: "identity.key"))
            #expect(try directory.enrolmentKey().pem != key.pem)
            try directory.keep(try self.cluster.credential(key: key))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["identity.pem"])
        }
    }

    @Test("An identity is found as it was kept; damage is told with the path, and crashes nothing (control 12)")
    func identity() async throws {
        try await withTemporaryFolder { folder in
            let directory = StateDirectory(folder.path)
            guard case .none = directory.identity else { throw ResourceFault(nil, "an identity in an empty folder") }
            let credential = try self.cluster.credential()
            try directory.keep(credential)
            guard case .found(let found) = directory.identity else { throw ResourceFault(nil, "no identity") }
            #expect(found.identity == credential.identity)
            let whole = try Data(contentsOf: URL(filePath: directory.identityPath))
            for length in [0, 1, 40, whole.count / 2, whole.count - 30] {
                try PrivateFile.replace(directory.identityPath, with: Array(whole.prefix(length)))
                #expect(self.unusable(directory.identity)?.hasPrefix(directory.identityPath) == true, "\(length)")
            }
            #expect(chmod(directory.identityPath, 0o644) == 0)
            #expect(self.unusable(directory.identity)?.contains("others can read") == true)
        }
    }

    @Test("The last good state is read by the node's key alone, and no key in it stands there in clear (control 6)")
    func lastGood() async throws {
        try await withTemporaryFolder { folder in
            let directory = StateDirectory(folder.path)
            let credential = try self.cluster.credential()
            #expect(try directory.lastGood(for: credential) == nil)
            let certificate = try Resources.certificate("mx", for: "mx.test")
            let kept = LastGood(
                version: 17, resources: [Resources.domain("contoso.test"), certificate],
                savedAt: Timestamp(seconds: 1_800_000_000))
            try directory.keep(kept, for: credential)
            let read = try #require(try directory.lastGood(for: credential))
            #expect(read.version == 17 && read.savedAt == kept.savedAt && read.resources == kept.resources)
            let file = try Data(contentsOf: folder.appending(path: "last-good"))
            #expect(file.range(of: Data("contoso".utf8)) == nil)
            #expect(file.range(of: certificate.certificate.privateKeyDer) == nil)
            // The same key with a new certificate reads it, too; another node's does not.
            #expect(try directory.lastGood(for: self.cluster.credential(key: credential.key))?.version == 17)
            let strangers = [
                try self.cluster.credential(), try self.cluster.credential(of: "mx2.example.test", key: credential.key),
            ]
            for stranger in strangers {
                #expect(throws: StorageFault.self) { try directory.lastGood(for: stranger) }
            }
            for length in [0, 5, file.count - 1] {
                try PrivateFile.replace("\(folder.path)/last-good", with: Array(file.prefix(length)))
                #expect(throws: StorageFault.self) { try directory.lastGood(for: credential) }
            }
        }
    }
}
