import RelayConfiguration

/// The page of the configuration file, made from the schema by which it is read.
struct SettingsPage {
    /// What stands on the command line for this page.
    static let name = "relayd.yaml"
    /// Where formats of files have their place.
    static let section = 5

    let date: String
    let source: String

    /// In the macros of man(7).
    var text: String {
        var page = RoffWriter(Self.name, section: Self.section, date: self.date, source: self.source)
        page.section("Name")
        page.paragraph([.plain("\(Self.name) - settings of relayd")])
        page.section("Description")
        page.prose(
            """
            The file is YAML. A key with a dot stands below its first part: `delivery.port` is port below delivery. Every \
            key has a default, and an unknown one is a mistake. `relayd config check` says what is wrong, and \
            `relayd config show` what is in force.
            """)
        page.section("Keys")
        for key in ConfigurationText.keys {
            page.entry(
                [.literal(key.name)],
                "\(key.summary) Value: \(key.expected). Default: \(key.defaultValue). In the environment: \(key.variable)."
            )
        }
        page.section("Files")
        page.entry([.literal(ProgramFacts.configurationFile.term)], "Where relayd and relayctl look for it.")
        page.section("See also")
        page.paragraph([.plain("relayd(8), relayctl(8)")])
        return page.text
    }
}
