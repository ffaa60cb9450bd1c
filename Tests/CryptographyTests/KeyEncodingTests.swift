import Foundation
import LabSupport
import Testing

@testable import Cryptography

@Suite("Private keys in DER", .timeLimit(.minutes(3)))
struct KeyEncodingTests {
    @Test("openssl reads our PKCS #8, and we read its", arguments: [PrivateKey.Algorithm.p256, .rsa(bits: 2048)])
    func exchange(_ algorithm: PrivateKey.Algorithm) async throws {
        let key = try PrivateKey(algorithm)
        try await withTemporaryFolder { folder in
            let (ours, theirs) = (folder.appending(path: "ours.der"), folder.appending(path: "theirs.der"))
            try Data(key.der).write(to: ours)
            try await ChildProcess.run(
                "openssl",
                [
                    "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", ours.path, "-outform", "DER", "-out",
                    theirs.path,
                ])
            let read = try PrivateKey(der: Array(try Data(contentsOf: theirs)))
            #expect(read.subjectPublicKeyInfo == key.subjectPublicKeyInfo)
            #expect(read.der == key.der)
            #expect(try PrivateKey(pem: Array(key.pem.utf8)).der == key.der)
        }
    }

    @Test("What is not one whole key is refused")
    func refused() throws {
        let der = try PrivateKey(.p256).der
        #expect(throws: CryptographyError.self) { try PrivateKey(der: der + [0]) }
        for length in der.indices {
            #expect(throws: CryptographyError.self) { try PrivateKey(der: Array(der.prefix(length))) }
        }
    }

    @Test("A key of a private key is the same after it was stored, and another for each label and key")
    func sealingKeys() throws {
        let key = try PrivateKey(.p256)
        let sealing = key.sealingKey(for: "last-good")
        #expect(try PrivateKey(pem: Array(key.pem.utf8)).sealingKey(for: "last-good") == sealing)
        #expect(key.sealingKey(for: "other") != sealing)
        #expect(try PrivateKey(.p256).sealingKey(for: "last-good") != sealing)
    }
}
