import Cryptography

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
