import Cryptography
import Foundation
import LabSupport
import Testing

@Suite("Certificate signing requests", .timeLimit(.minutes(3)))
struct SigningRequestTests {
    private func fault(_ der: [UInt8]) -> CryptographyFault? {
        do throws(CryptographyError) {
            _ = try CertificateSigningRequest(der: der)
            return nil
        } catch {
            return error.code
        }
    }

    /// A request that `openssl req` made, with a new key by these arguments.
    private func foreign(_ arguments: [String], in folder: URL) async throws -> [UInt8] {
        let (key, file) = (folder.appending(path: "key.pem").path, folder.appending(path: "request.der"))
        try await ChildProcess.run(
            "openssl",
            ["req", "-new", "-nodes", "-subj", "/CN=edge-1", "-outform", "DER", "-keyout", key, "-out", file.path]
                + arguments)
        return Array(try Data(contentsOf: file))
    }

    @Test("openssl reads our request, and finds its signature right and its subject")
    func ours() async throws {
        let key = try PrivateKey(.p256)
        let der = try CertificateSigningRequest.make(key: key, commonName: "edge-1.example.test")
        #expect(try CertificateSigningRequest(der: der).subjectPublicKeyInfo == key.subjectPublicKeyInfo)
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "request.der")
            try Data(der).write(to: file)
            let said = try await ChildProcess.run(
                "openssl", ["req", "-in", file.path, "-inform", "DER", "-verify", "-noout", "-subject", "-pubkey"])
            #expect(said.contains("verify OK"))
            #expect(said.contains("CN = edge-1.example.test"))
            let spki = Data(key.subjectPublicKeyInfo).base64EncodedString()
            #expect(said.filter { !$0.isWhitespace }.contains(spki))
        }
    }

    @Test("We read a request of openssl's, and an authority issues over its key")
    func theirs() async throws {
        try await withTemporaryFolder { folder in
            let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            let request = try CertificateSigningRequest(der: try await self.foreign(curve, in: folder))
            let key = try PrivateKey(pem: Array(try Data(contentsOf: folder.appending(path: "key.pem"))))
            #expect(request.subjectPublicKeyInfo == key.subjectPublicKeyInfo)
        }
    }

    @Test(
        "A request over a key that is not of P-256 in its one form is refused",
        arguments: [
            ["-newkey", "rsa:2048"], ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
            ["-newkey", "ed25519"],
        ])
    func otherKeys(_ arguments: [String]) async throws {
        try await withTemporaryFolder { folder in
            let request = try await self.foreign(arguments, in: folder)
            #expect(self.fault(request) == .refused)
        }
    }

    @Test("A request that is cut short anywhere, changed at any byte, longer or too large is refused")
    func damaged() throws {
        let der = try CertificateSigningRequest.make(key: PrivateKey(.p256), commonName: "edge-1")
        for length in 0..<der.count {
            #expect(self.fault(Array(der.prefix(length))) == .unparsable, "\(length) bytes")
        }
        for index in der.indices {
            var changed = der
            changed[index] ^= 1
            #expect(self.fault(changed) != nil, "byte \(index)")
        }
        #expect(self.fault(der + [0]) == .unparsable)
        #expect(self.fault(Array(repeating: 0x30, count: CertificateSigningRequest.maximumBytes + 1)) == .unparsable)
    }

    @Test("A request that another key signed is refused")
    func otherSigner() throws {
        let (own, other) = (try PrivateKey(.p256), try PrivateKey(.p256))
        let der = try CertificateSigningRequest.make(key: own, commonName: "edge-1")
        // Both keys have the same number of bytes, so the other's can be put in the place of the first's.
        let place = try #require(der.indices.first { der[$0...].starts(with: own.subjectPublicKeyInfo) })
        var forged = der
        forged.replaceSubrange(place..<place + other.subjectPublicKeyInfo.count, with: other.subjectPublicKeyInfo)
        #expect(self.fault(forged) == .refused)
    }
}
