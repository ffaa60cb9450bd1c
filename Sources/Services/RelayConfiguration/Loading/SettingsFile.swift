/// The text of one file: YAML, or a secret as it is.
public struct SettingsFile: Sendable {
    public var path: String
    public var text: String
    /// Its permissions, if others than owner and group may read or change it.
    public var exposedMode: String?

    public init(path: String, text: String, exposedMode: String? = nil) {
        self.path = path
        self.text = text
        self.exposedMode = exposedMode
    }
}
