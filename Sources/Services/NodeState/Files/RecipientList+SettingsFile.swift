import Admission

extension RecipientList: SettingsFileContent {
    /// Reads what `ListedRecipients` does.
    static func read(_ lines: [SettingsFile.Line]) -> Result<RecipientList, SettingsFile.Faults> {
        ListedRecipients.read(lines).map { RecipientList($0.localParts) }
    }
}
