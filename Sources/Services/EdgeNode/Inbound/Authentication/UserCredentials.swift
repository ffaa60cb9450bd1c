import Cryptography

/// The users that may relay after AUTH, and the hashes of their passwords.
struct UserCredentials: Sendable {
    /// The most bytes in a name (RFC 4616 §2).
    static let maximumNameBytes = 255

    private let hashes: [String: PasswordHash]
    /// What the password of an unknown user is compared with: as dear as the dearest hash, so that time tells no names.
    private let decoy: PasswordHash

    /// Users by name; names are told apart by case.
    init(_ hashes: [String: PasswordHash]) {
        self.hashes = hashes
        let dearest = hashes.values.map(\.cost).max { $0.computation < $1.computation }
        self.decoy = .decoy(dearest ?? .standard)
    }

    /// The hash to compare with, and whether it is anybody's.
    func hash(of name: String) -> (hash: PasswordHash, isKnown: Bool) {
        self.hashes[name].map { ($0, true) } ?? (self.decoy, false)
    }

    /// How many there are.
    var count: Int { self.hashes.count }

    /// The most memory that one comparison takes.
    var memoryBytes: Int { ([self.decoy] + self.hashes.values).map(\.cost.memoryBytes).max() ?? 0 }
}

extension UserCredentials: SettingsFileContent {
    /// Reads lines of `name:hash`. Empty lines, and those that begin with `#`, are comments.
    static func read(_ lines: [SettingsFile.Line]) -> Result<UserCredentials, SettingsFile.Faults> {
        var hashes: [String: PasswordHash] = [:]
        var faults: [SettingsFile.Fault] = []
        for line in lines {
            let parts = line.text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, (1...Self.maximumNameBytes).contains(parts[0].utf8.count) else {
                faults.append(line.fault("expected name:hash"))
                continue
            }
            guard let hash = PasswordHash(parts[1]) else {
                // The text is never shown: it may be a password.
                faults.append(line.fault("what follows the name is no hash as `relayd auth hash` makes it"))
                continue
            }
            if hashes.updateValue(hash, forKey: parts[0]) != nil {
                faults.append(line.fault("\(parts[0]) is there twice"))
            }
        }
        return faults.isEmpty ? .success(UserCredentials(hashes)) : .failure(SettingsFile.Faults(all: faults))
    }
}

extension PasswordCost {
    /// How much is computed, in blocks.
    fileprivate var computation: Int { (self.blockSize * self.parallelism) << self.logRounds }
}
