package import Cryptography

/// The users that may relay after AUTH, and the hashes of their passwords.
package struct UserCredentials: Sendable {
    /// The most bytes in a name (RFC 4616 §2).
    package static let maximumNameBytes = 255

    private let hashes: [String: PasswordHash]
    /// What the password of an unknown user is compared with: as dear as the dearest hash, so that time tells no names.
    private let decoy: PasswordHash

    /// Users by name; names are told apart by case.
    package init(_ hashes: [String: PasswordHash]) {
        self.hashes = hashes
        let dearest = hashes.values.map(\.cost).max { $0.computation < $1.computation }
        self.decoy = .decoy(dearest ?? .standard)
    }

    /// The hash to compare with, and whether it is anybody's.
    package func hash(of name: String) -> (hash: PasswordHash, isKnown: Bool) {
        self.hashes[name].map { ($0, true) } ?? (self.decoy, false)
    }

    /// How many there are.
    package var count: Int { self.hashes.count }

    /// The most memory that one comparison takes.
    package var memoryBytes: Int { ([self.decoy] + self.hashes.values).map(\.cost.memoryBytes).max() ?? 0 }
}

extension PasswordCost {
    /// How much is computed, in blocks.
    fileprivate var computation: Int { (self.blockSize * self.parallelism) << self.logRounds }
}
