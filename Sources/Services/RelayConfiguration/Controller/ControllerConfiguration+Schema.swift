extension ControllerConfiguration: ProgramSettings {
    public static let schema = ProgramSchema<ControllerConfiguration>(
        program: "relay-controller", defaultPath: "/etc/relayd/relay-controller.yaml",
        environmentPrefix: "RELAY_CONTROLLER_", readers: ["relay-controller"], exampleKey: "database.pool-size",
        settings: ControllerSchema.settings,
        secrets: [
            HeldSecret(key: "database.connection", content: "a password", value: "the connection string") {
                $1.holdsPassword($0.database.connection)
            },
            HeldSecret(key: "queue.connection", content: "a password", value: "the connection string") {
                $0.queue.connection.map($1.holdsPassword) ?? false
            },
            HeldSecret(key: "keys.encryption-key", content: "a key", value: "it") { settings, _ in
                settings.keys.encryptionKey != nil
            },
        ], inconsistencies: { ControllerSchema.inconsistencies(in: $0, $1) })
}

extension LoadedSettings<ControllerConfiguration> {
    /// What works as it is set, and does harm: told at the start and by `config check`.
    public var warnings: [ConfigurationProblem] { [self.emptyFile].compactMap(\.self) }
}
