import Admission
import MailModel

extension RecipientList: SettingsFileContent {
    /// Reads one local part a line, quoted where the grammar demands it. Lines that begin with `#` are comments.
    static func read(_ lines: [SettingsFile.Line]) -> Result<RecipientList, SettingsFile.Faults> {
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
        return faults.isEmpty ? .success(RecipientList(localParts)) : .failure(SettingsFile.Faults(all: faults))
    }
}
