/// The loader of `relayd`'s settings.
public typealias ConfigurationLoader = SettingsLoader<RelaydConfiguration>

/// The settings of `relayd` in force.
public typealias LoadedConfiguration = LoadedSettings<RelaydConfiguration>

extension RelaydConfiguration: ProgramSettings {
    public static let schema = ProgramSchema<RelaydConfiguration>(
        program: "relayd", defaultPath: "/etc/relayd/relayd.yaml", environmentPrefix: "RELAYD_",
        readers: ["relayd", "relayctl"], exampleKey: "delivery.port", settings: ConfigurationSchema.settings,
        secrets: [
            HeldSecret(key: "database.connection", content: "a password", value: "the connection string") {
                $1.holdsPassword($0.database.connection)
            }
        ], complete: { $0.smtp.nameListeners() },
        inconsistencies: { ConfigurationSchema.inconsistencies(in: $0, $1) })
}
