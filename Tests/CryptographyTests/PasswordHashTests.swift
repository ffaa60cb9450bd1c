import Testing

@testable import Cryptography

@Suite("Password hashes", .timeLimit(.minutes(3)))
struct PasswordHashTests {
    /// As cheap as may be read.
    private let cheap = PasswordCost(logRounds: 10, blockSize: 8, parallelism: 1)

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("scrypt is that of RFC 7914 §12")
    func vector() throws {
        // The one of its vectors that is within our bounds.
        let cost = try #require(PasswordCost(logRounds: 14, blockSize: 8, parallelism: 1))
        let hash = try PasswordHash(
            of: self.bytes("pleaseletmein"), cost: cost, salt: self.bytes("SodiumChloride"), length: 64)
        let hex = hash.digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(
            hex == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
    }

    @Test("A hash knows its password after it has been text, and no other")
    func roundTrip() throws {
        let hash = try PasswordHash(of: self.bytes("correct horse"), cost: try #require(self.cheap))
        let read = try #require(PasswordHash("\(hash)"))
        #expect(read == hash)
        #expect("\(hash)".hasPrefix("$scrypt$ln=10,r=8,p=1$"))
        #expect(read.matches(self.bytes("correct horse")))
        #expect(!read.matches(self.bytes("correct horsf")))
        #expect(!read.matches([]))
    }

    @Test("The same password twice gives two hashes")
    func salted() throws {
        let cost = try #require(self.cheap)
        #expect(try PasswordHash(of: [1], cost: cost) != PasswordHash(of: [1], cost: cost))
    }

    @Test("An empty password is a password like any other")
    func empty() throws {
        let hash = try PasswordHash(of: [], cost: try #require(self.cheap))
        #expect(hash.matches([]))
        #expect(!hash.matches([1]))
    }

    @Test("The standard cost takes 32 MiB")
    func standard() {
        #expect(PasswordCost.standard.memoryBytes == 32 << 20)
    }

    @Test(
        "What is no hash, or would cost more than we mean to give, is not read",
        arguments: [
            "", "secret", "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ", "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$",
            "$scrypt$ln=63,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=16,r=64,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=15,r=8,p=1000000$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=-1,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=99999999999999999999,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$r=8,ln=15,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=15,r=8,p=1,x=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ=$MDEyMzQ1Njc4OWFiY2RlZg",
            "$scrypt$ln=15,r=8,p=1$!!!!!!!!$MDEyMzQ1Njc4OWFiY2RlZg", "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$AAAA",
            "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg",
        ])
    func unreadable(_ text: String) {
        #expect(PasswordHash(text) == nil)
    }

    @Test("A good hash is read", arguments: ["$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg"])
    func readable(_ text: String) {
        #expect(PasswordHash(text)?.description == text)
    }

    @Test("A keyed digest is the same for the same bytes, and another under another key")
    func keyedDigest() {
        let digest = KeyedDigest()
        #expect(digest([1, 2, 3]) == digest([1, 2, 3]))
        #expect(digest([1, 2, 3]) != digest([1, 2, 4]))
        #expect(digest([]).count == 32)
        #expect(KeyedDigest()([1, 2, 3]) != digest([1, 2, 3]))
    }
}
