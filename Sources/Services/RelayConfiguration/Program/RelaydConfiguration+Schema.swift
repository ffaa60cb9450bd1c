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
            },
            HeldSecret(key: "control.join-token", content: "a join token", value: "the token") { settings, _ in
                settings.control.joinToken != nil
            },
        ], complete: { $0.smtp.nameListeners() },
        misplaced: { ConfigurationSchema.controllersSettings(in: $0, set: $1) },
        owner: { ConfigurationSchema.controller(of: $1, in: $0) },
        inconsistencies: { ConfigurationSchema.inconsistencies(in: $0, $1) })
}
