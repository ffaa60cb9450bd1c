import ClusterModel
import ControlClient
import Cryptography
import Foundation
import LabSupport
import Testing

@Suite("A credential of a cluster")
struct ClusterCredentialTests {
    private func fault(of pem: String) -> ClusterCredentialFault? {
        do throws(ClusterCredentialError) {
            _ = try ClusterCredential(pem: Array(pem.utf8))
            return nil
        } catch {
            return error.code
        }
    }

    @Test("Its PEM has key, certificate and authorities, and is read as it was")
    func pem() throws {
        let credential = try TestCluster().credential()
        let read = try ClusterCredential(pem: Array(credential.pem.utf8))
        #expect(read.identity.uri == "relay://lab/node/mx1.example.test")
        #expect(read.key.pem == credential.key.pem)
        #expect(read.certificate.value == credential.certificate.value)
        #expect(read.authorities.map(\.value) == credential.authorities.map(\.value))
    }

    @Test("Its file is the owner's alone, and refused when it is not")
    func file() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending(path: "admin.pem").path
            let credential = try TestCluster().credential(of: "alice", role: .admin)
            try credential.write(to: path)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(try ClusterCredential(file: path).identity == credential.identity)
            #expect(chmod(path, 0o644) == 0)
            #expect(throws: ClusterCredentialError.self) { try ClusterCredential(file: path) }
        }
    }

    @Test("Parts that are missing or do not belong together are damage")
    func damaged() throws {
        let cluster = try TestCluster()
        let (one, two) = (try cluster.credential(), try cluster.credential())
        let authority = cluster.authority.certificate.pem
        #expect(self.fault(of: "") == .damaged)
        #expect(self.fault(of: one.key.pem) == .damaged)
        #expect(self.fault(of: one.key.pem + one.certificate.pem) == .damaged)
        #expect(self.fault(of: one.key.pem + two.certificate.pem + authority) == .damaged)
        #expect(self.fault(of: String(one.pem.dropLast(100))) == .damaged)
        #expect(self.fault(of: one.certificate.pem + authority) == .damaged)
    }

    @Test("A certificate that names no identity of a cluster is foreign")
    func foreign() throws {
        let cluster = try TestCluster()
        let authority = cluster.authority
        #expect(self.fault(of: authority.key.pem + authority.certificate.pem + authority.certificate.pem) == .foreign)
    }
}
