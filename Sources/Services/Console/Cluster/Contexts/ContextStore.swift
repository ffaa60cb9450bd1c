package import ControlClient
import Cryptography
import Foundation
import OperatingSystem
import Yams

/// A cluster that this person administers: where its controllers are, and the credential for them.
package struct ClusterContext: Sendable {
    package let name: String
    package let addresses: [ControllerAddress]
    package let credential: ClusterCredential
}

/// The contexts of this person, in a folder that is closed to others: for each a file with addresses and one with the credential, and
/// the name of the one that counts where none is named.
package struct ContextStore: Sendable {
    /// The variable that names a context.
    package static let variable = "RELAYCTL_CONTEXT"
    private static let addressKey = "controllers"
    private static let maximumBytes = 64 << 10

    /// Its path, without a slash at the end.
    package let folder: String

    package init(folder: String) { self.folder = folder }

    /// That of a person with this environment.
    package init(environment: [String: String]) throws(ConsoleFailure) {
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw ConsoleFailure(.configuration, "HOME names no folder, so there is no place for contexts")
        }
        self.init(folder: "\(home)/.config/relayctl")
    }

    private var contexts: String { "\(self.folder)/contexts" }
    private var currentFile: String { "\(self.folder)/current-context" }
    private func addressFile(_ name: String) -> String { "\(self.contexts)/\(name).yaml" }
    /// Where the credential of a context is.
    package func credentialFile(_ name: String) -> String { "\(self.contexts)/\(name).pem" }
    /// Where the key is of whom a token makes a member, until the certificate is there.
    package func keyFile(_ name: String) -> String { "\(self.contexts)/\(name).key" }

    // MARK: - Reading

    /// All contexts, in the order of their names.
    package func names() -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: self.contexts)) ?? []
        return files.filter { $0.hasSuffix(".pem") }.map { String($0.dropLast(4)) }.filter(Self.isName).sorted()
    }

    /// The one that counts where none is named; `nil` if none was ever chosen.
    package func current() -> String? {
        let content = try? BoundedFile.read(self.currentFile, limit: Self.maximumBytes)
        guard let content, let text = String(validating: content.bytes, as: UTF8.self) else { return nil }
        let name = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return Self.isName(name) ? name : nil
    }

    /// The name of the context that counts; `nil` if there is none.
    ///
    /// - Parameter named: on the command line; else the environment says it, or the file.
    package func chosen(named: String?, environment: [String: String]) -> String? {
        if let named { return named }
        if let variable = environment[Self.variable], !variable.isEmpty { return variable }
        return self.current()
    }

    /// Reads a context.
    package func read(_ name: String) throws(ConsoleFailure) -> ClusterContext {
        guard Self.isName(name), FileManager.default.fileExists(atPath: self.credentialFile(name)) else {
            throw ConsoleFailure(
                .configuration,
                "there is no context \(name); `relayctl context list` has all, and `relayctl login` makes one")
        }
        do throws(ClusterCredentialError) {
            return ClusterContext(
                name: name, addresses: try self.addresses(name),
                credential: try ClusterCredential(file: self.credentialFile(name)))
        } catch {
            throw ConsoleFailure(.configuration, error.message)
        }
    }

    private func addresses(_ name: String) throws(ClusterCredentialError) -> [ControllerAddress] {
        let path = self.addressFile(name)
        let content: BoundedFile.Content
        do throws(BoundedFile.Fault) {
            content = try BoundedFile.read(path, limit: Self.maximumBytes)
        } catch {
            throw ClusterCredentialError(.unreadable, "\(path): \(error)")
        }
        let read = (try? Yams.load(yaml: String(decoding: content.bytes, as: UTF8.self))) as? [String: Any]
        let texts = read?[Self.addressKey] as? [String] ?? []
        let addresses = texts.compactMap { ControllerAddress($0) }
        guard !addresses.isEmpty, addresses.count == texts.count else {
            throw ClusterCredentialError(.damaged, "\(path): expected \(Self.addressKey): a list of HOST:PORT")
        }
        return addresses
    }

    /// Whether a context can have this name, which is that of files.
    static func isName(_ text: String) -> Bool {
        let allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
        return (1...64).contains(text.utf8.count) && text.allSatisfy(allowed.contains) && !text.hasPrefix(".")
            && !text.hasPrefix("-")
    }

    // MARK: - Writing

    /// Makes a context, or replaces it, and has it count from now on.
    package func write(
        _ name: String, _ addresses: [ControllerAddress], _ credential: ClusterCredential
    ) throws(ConsoleFailure) {
        try self.makeFolder(for: name)
        let yaml = OutputValue.record([.init(Self.addressKey, .list(addresses.map { .text("\($0)") }))]).yaml
        try self.replace(self.addressFile(name), with: Array("\(yaml)\n".utf8))
        try self.write(credential, of: name)
        try self.use(name)
    }

    /// Replaces the credential of a context.
    package func write(_ credential: ClusterCredential, of name: String) throws(ConsoleFailure) {
        try self.replace(self.credentialFile(name), with: Array(credential.pem.utf8))
    }

    /// Has a context count where none is named.
    package func use(_ name: String) throws(ConsoleFailure) {
        try self.replace(self.currentFile, with: Array("\(name)\n".utf8))
    }

    /// Forgets a context and its credential.
    package func remove(_ name: String) throws(ConsoleFailure) {
        do throws(PrivateFile.Fault) {
            try PrivateFile.remove(self.credentialFile(name))
            try PrivateFile.remove(self.addressFile(name))
            if self.current() == name { try PrivateFile.remove(self.currentFile) }
        } catch {
            throw ConsoleFailure(.failed, "\(error)")
        }
    }

    /// Makes the folders for a context, closed to others.
    package func makeFolder(for name: String) throws(ConsoleFailure) {
        guard Self.isName(name) else {
            throw ConsoleFailure(.usage, "\(name) is no name of a context: 1 to 64 letters, digits, dots, - and _")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: self.contexts, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            for path in [self.folder, self.contexts] {
                try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
            }
        } catch {
            throw ConsoleFailure(.failed, "\(self.contexts) cannot be made: \(error.localizedDescription)")
        }
    }

    private func replace(_ path: String, with bytes: [UInt8]) throws(ConsoleFailure) {
        do throws(PrivateFile.Fault) {
            try PrivateFile.replace(path, with: bytes)
        } catch {
            throw ConsoleFailure(.failed, "\(error)")
        }
    }
}
