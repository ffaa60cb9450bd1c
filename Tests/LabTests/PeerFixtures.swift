import Cryptography
import Foundation
import LabPeers
import MailModel
import TLSEngine

/// A folder that is gone when the body is.
func withTemporaryFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appending(path: "relay-peers-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

/// A certificate for tests of peers, in the two forms that they take.
struct PeerIdentity {
    let leaf: TestPKI.Leaf

    init(_ name: String) throws {
        self.leaf = try TestPKI(now: Self.now).leaf(name)
    }

    static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }

    var store: ServerCertificateStore {
        get throws {
            try ServerCertificateStore([self.leaf.serverCertificate()])
        }
    }

    func identity(in folder: URL) throws -> PostfixConfiguration.Identity {
        let chain = folder.appending(path: "chain.pem")
        let key = folder.appending(path: "key.pem")
        try self.leaf.chainPEM.write(to: chain, atomically: true, encoding: .utf8)
        try self.leaf.key.pem.write(to: key, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
        return .init(chainFile: chain, keyFile: key)
    }
}
