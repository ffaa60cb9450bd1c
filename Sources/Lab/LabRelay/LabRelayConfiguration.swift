import Foundation
import LabDNS
import LabDatabase

/// The YAML file of a lab's relayd.
struct LabRelayConfiguration {
    /// Whole values in YAML, by whole key such as `queue.shards`. Later ones replace earlier ones.
    private var values: [String: String] = [:]

    /// What the lab needs.
    init(
        node: String, smtpPort: UInt16, telemetryPort: UInt16, deliveryPort: UInt16, certificate: String, key: String,
        connection: String, durability: PrivatePostgres.Durability, shards: Int, internet: SignedInternet
    ) {
        let text = Self.quoted
        self.values = [
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
        ]
    }

    /// Replaces the values of these keys.
    mutating func override(_ settings: [String: String]) { self.values.merge(settings) { $1 } }

    /// The file: a section for each first part of a key.
    var yaml: String {
        let sections = Dictionary(grouping: self.values.sorted { $0.key < $1.key }) {
            String($0.key.prefix { $0 != "." })
        }
        return sections.sorted { $0.key < $1.key }.map { name, entries in
            let lines = entries.map { key, value in
                let inner = key.dropFirst(name.count + 1)
                return inner.isEmpty ? "\(name): \(value)" : "  \(inner): \(value)"
            }
            let isSection = entries.allSatisfy { $0.key != name }
            return ((isSection ? ["\(name):"] : []) + lines).joined(separator: "\n") + "\n"
        }.joined()
    }

    private static func mapping(_ options: [(name: String, value: String)]) -> String {
        "{\(options.map { "\($0.name): \(Self.quoted($0.value))" }.joined(separator: ", "))}"
    }

    /// A YAML text in single quotes, in which nothing but the quote itself is special.
    private static func quoted(_ text: String) -> String {
        "'\(text.replacing("'", with: "''"))'"
    }
}
