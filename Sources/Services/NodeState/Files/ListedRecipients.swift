import MailModel

/// The local parts that a file of recipients names, in its order.
package struct ListedRecipients: SettingsFileContent, Hashable, Sendable {
    package let localParts: [String]

    /// All that is wrong in a file, at least one thing.
    package struct Faults: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads a file.
    package static func file(_ path: String) -> Result<ListedRecipients, Faults> {
        SettingsFile.read(path, as: ListedRecipients.self).mapError { faults in
            Faults(description: faults.all.map(\.description).joined(separator: "; "))
        }
    }

    /// Reads one local part a line, quoted where the grammar demands it. Lines that begin with `#` are comments.
    static func read(_ lines: [SettingsFile.Line]) -> Result<ListedRecipients, SettingsFile.Faults> {
        var localParts: [String] = []
        var faults: [SettingsFile.Fault] = []
        for line in lines {
            // Read with a domain behind it, because it is the address's grammar that counts.
            if let mailbox = Mailbox("\(line.text)@domain.invalid") {
                localParts.append(mailbox.localPart)
            } else {
                faults.append(line.fault("expected the part of an address before the @"))
            }
        }
        return faults.isEmpty
            ? .success(ListedRecipients(localParts: localParts)) : .failure(SettingsFile.Faults(all: faults))
    }
}
