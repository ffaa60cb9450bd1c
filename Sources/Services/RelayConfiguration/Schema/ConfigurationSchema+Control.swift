import ClusterModel

// Following a controller.

extension ConfigurationSchema {
    private typealias Key = Setting<RelaydConfiguration>

    static let control: [Setting<RelaydConfiguration>] = [
        Key(
            "control.addresses", \.control.addresses, .list(.controllerAddress()),
            "Replicas of the controller that this node follows, tried in this order. With it domains, users, certificates, destination rules and relay networks are the controller's. Without it they are this file's."
        ),
        Key(
            "control.state-directory", \.control.stateDirectory, .string("path"),
            "Folder of this node alone for its identity in the cluster and the last state of the controller."),
        Key(
            "control.join-token", \.control.joinToken, .optional(.joinToken()), isSecret: true,
            "Token that `relayctl node token` makes, by which the node gets its first certificate. Not needed afterwards."
        ),
    ]

    /// What the controller has of the settings.
    static let controllersKeys = [
        "accepted-domains", "tls.certificates", "tls.required", "auth.users-file", "relay-networks",
        "delivery.destinations", "delivery.tls-exceptions", "dsn.postmaster",
    ]

    /// What is set beside a controller, and would have no effect. `set` are the keys that are set anywhere.
    static func controllersSettings(
        in configuration: RelaydConfiguration, set: Set<String>
    ) -> [(key: String, message: String)] {
        guard configuration.hasController else { return [] }
        return self.controllersKeys.filter(set.contains).map {
            ($0, "is the controller's where control.addresses is set: set it there, and remove it here")
        }
    }

    /// The controller, for keys that are its own.
    static func controller(of key: String, in configuration: RelaydConfiguration) -> String? {
        guard configuration.hasController, self.controllersKeys.contains(key) else { return nil }
        let addresses = configuration.control.addresses.map { "\($0)" }.joined(separator: ", ")
        return "the controller (\(addresses)); what stands here does not count"
    }
}

extension ValueSyntax {
    static func controllerAddress() -> ValueSyntax where Value == ControllerAddress {
        .text("host and port such as controller.example.org:9926") { text, dialect in
            ControllerAddress(settingText: text, domainName: dialect.domainName)
        }
    }

    /// A token; white space around it does not count, as it is pasted.
    static func joinToken() -> ValueSyntax where Value == JoinToken {
        .text("join token") { text, _ in
            JoinToken(text.trimmingPrefix { $0.isWhitespace }.trimmed)
        }
    }
}

extension Substring {
    /// Without white space at the end.
    fileprivate var trimmed: String {
        var rest = self
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
