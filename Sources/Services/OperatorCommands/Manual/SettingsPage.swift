import RelayConfiguration

/// The page of the configuration file, made from the schema by which it is read.
struct SettingsPage<Settings: ProgramSettings> {
    /// What stands on the command line for this page, such as `relayd.yaml`.
    static var name: String { Settings.schema.fileName }
    /// Where formats of files have their place.
    static var section: Int { 5 }

    let date: String
    let source: String

    /// In the macros of man(7).
    var text: String {
        let schema = Settings.schema
        let (program, example) = (schema.program, schema.exampleKey)
        let parts = example.split(separator: ".", maxSplits: 1)
        var page = RoffWriter(Self.name, section: Self.section, date: self.date, source: self.source)
        page.section("Name")
        page.paragraph([.plain("\(Self.name) - settings of \(program)")])
        page.section("Description")
        page.prose(
            """
            The file is YAML. A key with a dot stands below its first part: `\(example)` is \(parts[1]) below \(parts[0]). Every \
            key has a default, and an unknown one is a mistake. `\(program) config check` says what is wrong, and \
            `\(program) config show` what is in force.
            """)
        page.section("Keys")
        for key in ConfigurationText.keys(of: Settings.self) {
            page.entry(
                [.literal(key.name)],
                "\(key.summary) Value: \(key.expected). Default: \(key.defaultValue). In the environment: \(key.variable)."
            )
        }
        page.section("Files")
        page.entry(
            [.literal(schema.defaultPath)],
            "Where \(schema.readers.joined(separator: " and ")) \(schema.readers.count > 1 ? "look" : "looks") for it.")
        page.section("See also")
        page.paragraph([.plain(schema.readers.map { "\($0)(8)" }.joined(separator: ", "))])
        return page.text
    }
}
