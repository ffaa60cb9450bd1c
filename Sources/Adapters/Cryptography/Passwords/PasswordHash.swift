import COpenSSL

/// A password made unreadable by scrypt (RFC 7914), which costs whoever guesses as much memory as it costs us.
///
/// As text it is `$scrypt$ln=15,r=8,p=1$<salt>$<digest>`, both in base64 without padding.
public struct PasswordHash: Hashable, Sendable {
    /// What one computation costs.
    public let cost: PasswordCost
    let salt: [UInt8]
    let digest: [UInt8]

    /// The bytes of a salt that is read, and of one that is made.
    static let saltBytes = 8...64
    static let newSaltBytes = 16
    /// The bytes of a digest that is read, and of one that is made.
    static let digestBytes = 16...64
    static let newDigestBytes = 32

    /// Hashes a password with a salt of its own. Takes as long as the cost says: never on an event loop.
    public init(of password: [UInt8], cost: PasswordCost = .standard) throws(CryptographyError) {
        var generator = SystemRandomNumberGenerator()
        try self.init(
            of: password, cost: cost, salt: (0..<Self.newSaltBytes).map { _ in generator.next() })
    }

    /// A hash that no password has, so that the question about somebody unknown costs what another costs.
    public static func decoy(_ cost: PasswordCost) -> PasswordHash {
        var generator = SystemRandomNumberGenerator()
        func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in generator.next() } }
        return PasswordHash(cost: cost, salt: random(Self.newSaltBytes), digest: random(Self.newDigestBytes))
    }

    /// Hashes a password with a given salt.
    init(
        of password: [UInt8], cost: PasswordCost, salt: [UInt8], length: Int = Self.newDigestBytes
    ) throws(CryptographyError) {
        guard let digest = Self.scrypt(password, salt, cost, length) else {
            throw CryptographyError(.refused, "OpenSSL computes no scrypt: \(OpenSSLErrors.drainText())")
        }
        self.init(cost: cost, salt: salt, digest: digest)
    }

    init(cost: PasswordCost, salt: [UInt8], digest: [UInt8]) {
        self.cost = cost
        self.salt = salt
        self.digest = digest
    }

    /// Whether this is the hash of `password`. Takes as long as the cost says, right or wrong: never on an event loop.
    public func matches(_ password: [UInt8]) -> Bool {
        guard let digest = Self.scrypt(password, self.salt, self.cost, self.digest.count) else { return false }
        // Both arrays have the same number of bytes, and the comparison looks at all of them.
        return unsafe CRYPTO_memcmp(digest, self.digest, digest.count) == 0
    }

    private static func scrypt(
        _ password: [UInt8], _ salt: [UInt8], _ cost: PasswordCost, _ length: Int
    ) -> [UInt8]? {
        OpenSSLErrors.clear()
        var isDone = false
        let digest = unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            unsafe password.withUnsafeBytes { password in
                // OpenSSL reads and writes exactly the counts given. A password may be empty, a pointer may not be null.
                let text = unsafe password.assumingMemoryBound(to: CChar.self).baseAddress
                let limit = UInt64(cost.memoryBytes) + PasswordCost.overheadBytes
                unsafe isDone =
                    EVP_PBE_scrypt(
                        text, password.count, salt, salt.count, 1 << UInt64(cost.logRounds), UInt64(cost.blockSize),
                        UInt64(cost.parallelism), limit, buffer.baseAddress, length) == 1
            }
            count = isDone ? length : 0
        }
        return isDone ? digest : nil
    }
}

/// The parameters of scrypt (RFC 7914 §2), within bounds, so that no file can ask for more memory than we mean to give.
public struct PasswordCost: Hashable, Sendable {
    /// The binary logarithm of N, `ln` in the text.
    public let logRounds: Int
    /// `r` in the text.
    public let blockSize: Int
    /// `p` in the text.
    public let parallelism: Int

    /// 2¹⁵ rounds of blocks of 1 KiB: 32 MiB, and about a tenth of a second.
    public static let standard = PasswordCost(checked: 15, 8, 1)
    /// The most memory that one computation may take.
    public static let maximumMemoryBytes = 64 << 20
    /// What OpenSSL may take beside the table, which it counts in its limit.
    static let overheadBytes: UInt64 = 1 << 20

    /// Parameters; `nil` unless `logRounds` is 10 to 16, `blockSize` 8 to 64, `parallelism` 1 to 4 and the memory at most
    /// `maximumMemoryBytes`.
    public init?(logRounds: Int, blockSize: Int, parallelism: Int) {
        guard (10...16).contains(logRounds), (8...64).contains(blockSize), (1...4).contains(parallelism) else {
            return nil
        }
        self.init(checked: logRounds, blockSize, parallelism)
        guard self.memoryBytes <= Self.maximumMemoryBytes else { return nil }
    }

    private init(checked logRounds: Int, _ blockSize: Int, _ parallelism: Int) {
        self.logRounds = logRounds
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    /// The bytes of memory that one computation takes.
    public var memoryBytes: Int { (128 * self.blockSize) << self.logRounds }
}
