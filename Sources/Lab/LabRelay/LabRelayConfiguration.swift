import Foundation
import LabDNS
import LabDatabase

/// The YAML file of a lab's relayd.
struct LabRelayConfiguration {
    private var settings: LabSettings

    /// What the lab needs.
    init(
        node: String, smtpPort: UInt16, telemetryPort: UInt16, deliveryPort: UInt16, certificate: String, key: String,
        connection: String, durability: PrivatePostgres.Durability, shards: Int, internet: SignedInternet
    ) {
        let text = LabSettings.quoted
        self.settings = LabSettings(values: [
            "node.name": node,
            "smtp.listeners": "[{name: lab, address: \"127.0.0.1:\(smtpPort)\"}]",
            "tls.certificates": "[{certificate: \(text(certificate)), key: \(text(key))}]",
            "relay-networks": "[127.0.0.0/8]",
            "database.connection": text(connection),
            "database.allow-fsync-off": "\(durability == .relaxed)",
            "queue.shards": "\(shards)",
            "delivery.port": "\(deliveryPort)",
            // All hosts of the lab are on loopback.
            "delivery.allow-loopback": "true",
            "resolver.trust-anchor-files": "[\(text(internet.trustAnchorFile.path))]",
            // As a forwarder, since delegations carry no port and the lab's is not 53; answers are validated all the same.
            "resolver.forwarders": "[\"\(internet.address):\(internet.port)\"]",
            "resolver.options": Self.mapping(internet.resolverOptions),
            "telemetry.address": "\"127.0.0.1:\(telemetryPort)\"",
        ])
    }

    /// Replaces the values of these keys.
    mutating func override(_ settings: [String: String]) { self.settings.override(settings) }

    /// Leaves out what a controller has, and follows one by these settings.
    mutating func follow(_ settings: [String: String]) {
        for key in ["tls.certificates", "relay-networks"] { self.settings.values[key] = nil }
        self.override(settings)
    }

    /// The file.
    var yaml: String { self.settings.yaml }

    private static func mapping(_ options: [(name: String, value: String)]) -> String {
        "{\(options.map { "\($0.name): \(LabSettings.quoted($0.value))" }.joined(separator: ", "))}"
    }
}
