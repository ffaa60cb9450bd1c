import ControlAPI
import DeliveryQueue
import MailModel
import RelayConfiguration
import Routing
import SwiftProtobuf

/// The settings that all nodes of a cluster share, by the keys that `relayd.yaml` has for them.
enum FleetKey: String, CaseIterable {
    case relayNetworks = "relay-networks"
    case postmaster = "dsn.postmaster"
    case destinations = "delivery.destinations"
    case exceptions = "delivery.tls-exceptions"
    case certificateRequired = "tls.required"
}

extension ControlFleetSettings {
    /// Reads a file. A key that does not stand there has its default.
    init(file path: String) throws(ConsoleFailure) {
        let configuration = try SharedSettings.read(path, keys: Set(FleetKey.allCases.map(\.rawValue)))
        let folder = SettingsFolder(of: path)
        self.init()
        self.relayNetworks = configuration.relayNetworks.map { "\($0)" }
        self.postmaster = configuration.dsn.postmaster ?? ""
        self.certificateRequired = configuration.tls.required
        for rule in configuration.delivery.destinations {
            self.destinations.append(try ControlDestinationRule(rule, in: folder))
        }
        self.exceptions = configuration.delivery.tlsExceptions.map { exception in
            .with {
                $0.pattern = "\(exception.domain)"
                $0.until = Google_Protobuf_Timestamp(seconds: exception.until.start.microseconds / 1_000_000)
                $0.reason = exception.reason
            }
        }
    }
}

extension ControlDestinationRule {
    fileprivate init(_ rule: DestinationRule, in folder: SettingsFolder) throws(ConsoleFailure) {
        let authorities = try rule.transport.authorityFile.map { path throws(ConsoleFailure) in
            try folder.authorities(path)
        }
        self.init()
        self.pattern = "\(rule.domain)"
        if let demand = ControlTransportDemand(rule.transport, authorities: authorities) { self.transport = demand }
        if let chunking = rule.transport.chunking { self.chunking = chunking }
    }
}

/// The settings as a file has them.
struct FleetDocument {
    let settings: ControlFleetSettings

    /// The value of each key.
    var values: [(key: FleetKey, value: OutputValue)] {
        FleetKey.allCases.map { ($0, self.value($0)) }
    }

    private func value(_ key: FleetKey, isFile: Bool = false) -> OutputValue {
        switch key {
        case .relayNetworks: .list(self.settings.relayNetworks.map { .text($0) })
        case .postmaster: .optional(self.settings.postmaster.isEmpty ? nil : self.settings.postmaster)
        case .destinations: .list(self.settings.destinations.map { .record($0.fields(isFile: isFile)) })
        case .exceptions: .list(self.settings.exceptions.map { .record($0.fields) })
        case .certificateRequired: .bool(self.settings.certificateRequired)
        }
    }

    /// What programs read.
    var fields: [OutputValue.Field] {
        self.values.map { key, value in
            .init(String(key.rawValue.map { "-.".contains($0) ? "_" : $0 }), value)
        }
    }

    /// A file that `config set` takes, once the certificates of authorities are in files of their own.
    var yaml: [String] {
        let lines = FleetKey.allCases.flatMap { key -> [String] in
            let parts = key.rawValue.split(separator: ".")
            let lines = self.value(key, isFile: true).block(under: String(parts[parts.count - 1]))
            return parts.count == 1 ? lines : ["\(parts[0]):"] + lines.map { "  \($0)" }
        }.withoutRepeatedGroups
        let hasFiles = self.settings.destinations.contains { !$0.transport.authoritiesPem.isEmpty }
        return (hasFiles ? ["# -o json has the certificates of each tls-ca-file."] : []) + lines
    }
}

extension [String] {
    /// Keys of one group stand under its name once.
    fileprivate var withoutRepeatedGroups: [String] {
        var group: String?
        return self.filter { line in
            guard !line.hasPrefix(" "), line.hasSuffix(":") else {
                if !line.hasPrefix(" ") { group = nil }
                return true
            }
            defer { group = line }
            return line != group
        }
    }
}

extension OutputValue {
    /// The lines of a key with this value.
    fileprivate func block(under key: String) -> [String] {
        let lines = self.yaml.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        switch self {
        case .list(let values) where !values.isEmpty: return ["\(key):"] + lines.map { "  \($0)" }
        default: return ["\(key): \(self.json)"]
        }
    }
}

extension ControlDestinationRule {
    /// - Parameter isFile: by the keys of a file, with the name of one in place of certificates.
    fileprivate func fields(isFile: Bool) -> [OutputValue.Field] {
        let demand = self.hasTransport ? self.transport : nil
        let dash = isFile ? "-" : "_"
        var fields: [OutputValue.Field] = [.init("domain", .text(self.pattern))]
        if let keyword = demand?.keyword { fields.append(.init("tls", .text(keyword))) }
        if let name = demand?.verifiedName, !name.isEmpty { fields.append(.init("tls\(dash)name", .text(name))) }
        if let pem = demand?.authoritiesPem, !pem.isEmpty {
            let file = self.pattern.hasPrefix("*.") ? String(self.pattern.dropFirst(2)) : self.pattern
            fields.append(.init("tls\(dash)ca\(dash)file", .text(isFile ? "\(file).pem" : pem)))
        }
        if self.hasChunking { fields.append(.init("chunking", .bool(self.chunking))) }
        return fields
    }
}

extension ControlTransportException {
    fileprivate var fields: [OutputValue.Field] {
        [
            .init("domain", .text(self.pattern)), .init("reason", .text(self.reason)),
            // The day alone, as in a file.
            .init("until", .text(String("\(Timestamp(self.until))".prefix(10)))),
        ]
    }
}
