import Foundation

extension PasswordHash: LosslessStringConvertible {
    /// The longest text that is read, in bytes.
    private static let maximumTextBytes = 512

    /// Reads the text form; `nil` for any other, and for parameters out of bounds.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.maximumTextBytes else { return nil }
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt", let cost = PasswordCost(parts[2]),
            let salt = Self.bytes(parts[3]), Self.saltBytes.contains(salt.count),
            let digest = Self.bytes(parts[4]), Self.digestBytes.contains(digest.count)
        else { return nil }
        self.init(cost: cost, salt: salt, digest: digest)
    }

    public var description: String {
        "$scrypt$\(self.cost)$\(Self.base64(self.salt))$\(Self.base64(self.digest))"
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let text = Data(bytes).base64EncodedString()
        return String(text.prefix { $0 != "=" })
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        guard !text.contains("=") else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map { Array($0) }
    }
}

extension PasswordCost: CustomStringConvertible {
    /// The parameters as they stand in the text of a hash.
    public var description: String { "ln=\(self.logRounds),r=\(self.blockSize),p=\(self.parallelism)" }

    /// Reads `ln=15,r=8,p=1`, in this order.
    init?(_ text: Substring) {
        let fields = text.split(separator: ",", omittingEmptySubsequences: false)
        var values: [Int] = []
        for (name, field) in zip(["ln=", "r=", "p="], fields) {
            // Plain digits only: no sign, and nothing that could overflow.
            let digits = field.dropFirst(name.count)
            guard field.hasPrefix(name), (1...3).contains(digits.utf8.count),
                digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(digits)
            else { return nil }
            values.append(value)
        }
        guard fields.count == 3 else { return nil }
        self.init(logRounds: values[0], blockSize: values[1], parallelism: values[2])
    }
}
