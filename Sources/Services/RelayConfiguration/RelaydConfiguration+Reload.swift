extension RelaydConfiguration {
    /// The settings by which a node goes on that started with these, and takes of others what a reload takes over.
    package func reloaded(taking next: RelaydConfiguration) -> RelaydConfiguration {
        var configuration = self
        for setting in ConfigurationSchema.settings where setting.isReloaded { setting.copy(next, &configuration) }
        return configuration
    }

    /// The keys whose new values wait for a restart of a node that started with these settings.
    package func keysWaiting(forRestartWith next: RelaydConfiguration) -> [String] {
        ConfigurationSchema.settings.filter { !$0.isReloaded && $0.render(self) != $0.render(next) }.map(\.key)
    }
}
