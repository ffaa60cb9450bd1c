import Cryptography
import Foundation
import LabPeers
import MailModel
import TLSEngine

/// A certificate for tests of peers, in the two forms that they take.
struct PeerIdentity {
    let leaf: TestPKI.Leaf

    init(_ name: String) throws {
        self.leaf = try TestPKI().leaf(name)
    }

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
