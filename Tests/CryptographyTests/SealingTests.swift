import Foundation
import LabSupport
import Testing

@testable import Cryptography

@Suite("Sealed values", .timeLimit(.minutes(3)))
struct SealingTests {
    private let secret = Array("a certificate's key".utf8)
    private let context = Array("certificate mx.example.test".utf8)

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
    }

    private func fault(_ body: () throws(CryptographyError) -> [UInt8]) -> CryptographyFault? {
        do throws(CryptographyError) {
            _ = try body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test("AES-256-GCM is that of McGrew and Viega's test case 16")
    func cipherVector() {
        let key = self.bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
        let nonce = self.bytes("cafebabefacedbaddecaf888")
        let context = self.bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        let plain = self.bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
        let sealed = self.bytes(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b")
        #expect(AESGCM.seal(plain, key: key, nonce: nonce, context: context) == sealed)
        #expect(AESGCM.open(sealed, key: key, nonce: nonce, context: context) == plain)
    }

    @Test("HKDF is that of RFC 5869 A.1 and A.3")
    func derivationVectors() throws {
        let secret = [UInt8](repeating: 0x0B, count: 22)
        let first = try HKDF.sha256(
            secret, salt: self.bytes("000102030405060708090a0b0c"), info: self.bytes("f0f1f2f3f4f5f6f7f8f9"), count: 42)
        #expect(
            first
                == self.bytes(
                    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
        #expect(
            try HKDF.sha256(secret, info: [], count: 42)
                == self.bytes(
                    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
        #expect(
            self.fault { () throws(CryptographyError) in try HKDF.sha256(secret, info: [], count: 8161) } == .refused)
    }

    @Test(
        "A sealed value opens to what it was, also an empty one and one without context", arguments: [0, 1, 16, 70_000])
    func roundTrip(_ count: Int) throws {
        let (key, plain) = (SealingKey.random(), RandomBytes.make(count))
        for context in [self.context, []] {
            let sealed = try key.seal(plain, for: context)
            #expect(sealed.count == count + 28)
            #expect(try key.open(sealed, for: context) == plain)
            #expect(try key.seal(plain, for: context) != sealed, "each has a nonce of its own")
        }
    }

    @Test(
        "A sealed value that is changed at any byte, cut, longer, for another context or under another key is refused")
    func refused() throws {
        let key = SealingKey.random()
        let sealed = try key.seal(self.secret, for: self.context)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 0x80
            #expect(
                self.fault { () throws(CryptographyError) in try key.open(changed, for: self.context) } == .sealBroken)
        }
        for length in sealed.indices {
            let cut = Array(sealed.prefix(length))
            #expect(self.fault { () throws(CryptographyError) in try key.open(cut, for: self.context) } == .sealBroken)
        }
        let others: [(SealingKey, [UInt8], [UInt8])] = [
            (key, sealed + [0], self.context), (key, sealed, []), (key, sealed, self.context + [0]),
            (.random(), sealed, self.context),
        ]
        for (key, sealed, context) in others {
            #expect(self.fault { () throws(CryptographyError) in try key.open(sealed, for: context) } == .sealBroken)
        }
    }

    @Test("A key has 32 bytes, a name that tells nothing of them, and never shows them")
    func keys() throws {
        #expect(SealingKey(RandomBytes.make(31)) == nil)
        #expect(SealingKey(RandomBytes.make(33)) == nil)
        let key = try #require(SealingKey([UInt8](repeating: 7, count: 32)))
        #expect(key.identifier.count == 16)
        #expect(key.identifier.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        #expect(key.identifier == SealingKey([UInt8](repeating: 7, count: 32))?.identifier)
        #expect(key.identifier != SealingKey.random().identifier)
        #expect("\(key)" == "key \(key.identifier)")
        var dumped = ""
        dump(key, to: &dumped)
        #expect(!dumped.contains("7, 7") && !dumped.contains("- 7\n"))
    }

    @Test("A sealed secret is read from its bytes, and opens under its key for its context only (control 17)")
    func secrets() throws {
        let key = SealingKey.random()
        let sealed = try SealedSecret(sealing: self.secret, for: self.context, under: key)
        let read = try #require(SealedSecret(encoded: sealed.encoded))
        #expect(read == sealed)
        #expect(try read.open(for: self.context, under: key) == self.secret)
        #expect(
            self.fault { () throws(CryptographyError) in try read.open(for: [], under: key) } == .sealBroken)
        #expect(
            self.fault { () throws(CryptographyError) in try read.open(for: self.context, under: .random()) }
                == .otherKey)
    }

    @Test("A sealed secret that is changed or cut at any byte does not open")
    func damagedSecrets() throws {
        let key = SealingKey.random()
        let encoded = try SealedSecret(sealing: self.secret, for: self.context, under: key).encoded
        let opened = { (bytes: [UInt8]) in try? SealedSecret(encoded: bytes)?.open(for: self.context, under: key) }
        #expect(opened(encoded) == self.secret)
        for index in encoded.indices {
            var changed = encoded
            changed[index] ^= 1
            #expect(opened(changed) == nil, "byte \(index)")
            #expect(opened(Array(encoded.prefix(index))) == nil, "\(index) bytes")
        }
    }

    @Test("Rewrapping moves a secret to another key without sealing it anew (control 17)")
    func rewrapping() throws {
        let (old, new) = (SealingKey.random(), SealingKey.random())
        let sealed = try SealedSecret(sealing: self.secret, for: self.context, under: old)
        let moved = try sealed.rewrapped(from: old, to: new)
        #expect(moved.sealed == sealed.sealed)
        #expect(moved.keyIdentifier == new.identifier)
        #expect(try moved.open(for: self.context, under: new) == self.secret)
        #expect(
            self.fault { () throws(CryptographyError) in try moved.open(for: self.context, under: old) } == .otherKey)
        #expect(throws: CryptographyError.self) { try moved.rewrapped(from: old, to: new) }
    }

    @Test("A secret under the key of another secret does not open")
    func mixedSecrets() throws {
        let key = SealingKey.random()
        let first = try SealedSecret(sealing: self.secret, for: self.context, under: key).encoded
        let second = try SealedSecret(sealing: [1, 2, 3], for: self.context, under: key).encoded
        let mixed = try #require(SealedSecret(encoded: Array(first.prefix(77)) + second.dropFirst(77)))
        #expect(
            self.fault { () throws(CryptographyError) in try mixed.open(for: self.context, under: key) } == .sealBroken)
    }

    @Test("Bytes are compared as a whole")
    func comparison() {
        #expect(Digests.equal([], []))
        #expect(Digests.equal([1, 2, 3], [1, 2, 3]))
        #expect(!Digests.equal([1, 2, 3], [1, 2, 4]))
        #expect(!Digests.equal([1, 2, 3], [1, 2]))
        #expect(!Digests.equal([], [1]))
    }

    @Test("Random bytes are as many as asked for, and others each time")
    func randomness() {
        #expect(RandomBytes.make(0).isEmpty)
        #expect(RandomBytes.make(24).count == 24)
        #expect(RandomBytes.make(24) != RandomBytes.make(24))
    }
}
