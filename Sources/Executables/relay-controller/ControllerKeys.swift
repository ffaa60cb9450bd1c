import ControlPlane
import Cryptography
import Foundation
import OperatingSystem
import RelayConfiguration

/// The largest file of a key that is read.
private let largestKeyFile = 4096

extension LoadedSettings<ControllerConfiguration> {
    /// The key-encryption keys: from the settings or a credential, else from the file. Throws with all that is wrong.
    func keyRing() throws(ConfigurationError) -> KeyRing {
        var problems: [ConfigurationProblem] = []
        let current = self.currentKey(&problems)
        let key = "keys.previous-encryption-key-files"
        let previous = self.configuration.keys.previousEncryptionKeyFiles.enumerated().compactMap { index, path in
            self.key(in: path, key, element: "[\(index)]", &problems)
        }
        guard problems.isEmpty, let current else { throw ConfigurationError(problems: problems) }
        return KeyRing(current: current, previous: previous)
    }

    private func currentKey(_ problems: inout [ConfigurationProblem]) -> SealingKey? {
        if let given = self.configuration.keys.encryptionKey { return SealingKey(given.bytes) }
        return self.key(in: self.configuration.keys.encryptionKeyFile, "keys.encryption-key-file", &problems)
    }

    private func key(
        in path: String, _ setting: String, element: String = "", _ problems: inout [ConfigurationProblem]
    ) -> SealingKey? {
        do throws(BoundedFile.Fault) {
            let bytes = try BoundedFile.read(path, limit: largestKeyFile, isSecret: true).bytes
            if let text = EncryptionKeyText(String(decoding: bytes, as: UTF8.self)), let key = SealingKey(text.bytes) {
                return key
            }
            problems.append(
                self.problem(with: setting, element: element, "\(path): holds no key of 64 hexadecimal digits"))
        } catch {
            problems.append(self.problem(with: setting, element: element, "\(path): \(error)"))
        }
        return nil
    }

    /// Makes the file of the key where there is none, and none is given (control 10).
    ///
    /// - Returns: its path, if it was made.
    func makeKeyFile() throws(ConfigurationError) -> String? {
        let path = self.configuration.keys.encryptionKeyFile
        guard self.configuration.keys.encryptionKey == nil, !FileManager.default.fileExists(atPath: path) else {
            return nil
        }
        let digits = SealingKey.random().bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        do throws(PrivateFile.Fault) {
            try PrivateFile.replace(path, with: Array("\(digits)\n".utf8))
            return path
        } catch {
            throw ConfigurationError(problems: [self.problem(with: "keys.encryption-key-file", error.description)])
        }
    }
}
