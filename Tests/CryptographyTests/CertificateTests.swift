import Cryptography
import DNSModel
import Foundation
import LabPeers
import MailModel
import Testing

@Suite("Certificates, keys and digests", .timeLimit(.minutes(3)))
struct CertificateTests {
    let pki: TestPKI
    init() throws { self.pki = try TestPKI() }

    @Test("An issued certificate says what was asked for, in DER and PEM alike")
    func issuing() throws {
        let leaf = try self.pki.leaf(commonName: "mx", ["mx.example.test", "*.example.test"])
        let value = try Certificate(der: leaf.certificate.value.der).value
        #expect(value == leaf.certificate.value)
        #expect(value.dnsNames == ["mx.example.test", "*.example.test"])
        #expect(value.commonName == "mx")
        #expect(value.issuer == "CN=Lab intermediate")
        #expect(value.subjectPublicKeyInfo == leaf.key.subjectPublicKeyInfo)
        #expect(try Certificate.readAll(pem: Array(leaf.certificate.pem.utf8)).map(\.value) == [value])
    }

    @Test("Digests are those of FIPS 180-4")
    func digests() {
        let hex = { (bytes: [UInt8]) in bytes.map { String(format: "%02x", $0) }.joined() }
        #expect(
            hex(Digests.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hex(Digests.sha512(Array("abc".utf8))).hasPrefix("ddaf35a193617abacc417349ae204131"))
    }

    @Test("Rule 13: a full record parses only if it is one whole certificate or key, at any length")
    func parsing() throws {
        let leaf = try self.pki.leaf("mx.example.test")
        for selector in [TLSARecord.Selector.cert, .spki] {
            let good = leaf.tlsaRecord(.daneEE, selector, .full)
            #expect(TLSAContent.parses(good))
            for length in 0..<good.associationData.count {
                #expect(!TLSAContent.parses(good.with(Array(good.associationData.prefix(length)))))
            }
            #expect(!TLSAContent.parses(good.with(good.associationData + [0])))
            for length in [0, 3] {
                #expect(!TLSAContent.parses(good.with(Array(repeating: 0, count: length))))
            }
        }
        #expect(!TLSAContent.parses(leaf.tlsaRecord(.daneEE, .cert, .sha256)))
    }

    private func code(_ body: () throws -> Void) -> CryptographyFault? {
        do {
            try body()
            return nil
        } catch {
            return (error as? CryptographyError)?.code
        }
    }

    @Test("Bad certificates and keys are refused with the right code (hostile-input 36)")
    func refusals() throws {
        let (leaf, other) = (try self.pki.leaf("mx.example.test"), try self.pki.leaf("mx.example.test"))
        let (chain, key) = (Array(leaf.chainPEM.utf8), Array(leaf.key.pem.utf8))
        #expect(self.code { _ = try ServerCertificate(chainPEM: chain, keyPEM: key) } == nil)
        #expect(
            self.code { _ = try ServerCertificate(chainPEM: chain, keyPEM: Array(other.key.pem.utf8)) }
                == .keyMismatch)
        #expect(self.code { _ = try ServerCertificate(chainPEM: chain, keyPEM: []) } == .unparsable)
        #expect(self.code { _ = try ServerCertificate(chainPEM: [], keyPEM: key) } == .unparsable)
        #expect(
            self.code { _ = try ServerCertificate(chainPEM: Array(chain.dropLast(50)), keyPEM: key) }
                == .unparsable)
    }

    @Test("A key file that others can read is refused (hostile-input 41)")
    func keyFileMode() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "relay-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let leaf = try self.pki.leaf("mx.example.test")
        let (chain, key) = (folder.appending(path: "chain.pem"), folder.appending(path: "key.pem"))
        try Data(leaf.chainPEM.utf8).write(to: chain)
        try Data(leaf.key.pem.utf8).write(to: key)
        let load = { _ = try ServerCertificate(chainFile: chain.path, keyFile: key.path) }
        for (mode, expected) in [
            (0o600, nil), (0o640, nil), (0o644, CryptographyFault.keyFileExposed), (0o602, .keyFileExposed),
        ] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: key.path)
            #expect(self.code(load) == expected, "mode \(String(mode, radix: 8))")
        }
        try FileManager.default.removeItem(at: key)
        #expect(self.code(load) == .unreadable)
    }
}

extension TLSARecord {
    /// The same record with other data.
    func with(_ data: [UInt8]) -> TLSARecord {
        TLSARecord(usage: self.usage, selector: self.selector, matchingType: self.matchingType, associationData: data)
    }
}
