import ControlAPI

/// A domain as a controller has it.
struct DomainDocument: Hashable {
    let domain: ControlDomain
    /// Zero where the controller does not have it yet.
    let version: UInt64
    let recipients: UInt64

    init(_ found: ControlVersionedDomain) {
        self.init(found.domain, version: found.version, recipients: found.recipients)
    }

    init(_ domain: ControlDomain, version: UInt64 = 0, recipients: UInt64 = 0) {
        self.domain = domain
        self.version = version
        self.recipients = recipients
    }

    private var transport: ControlTransportDemand? { self.domain.hasTransport ? self.domain.transport : nil }

    /// What an operator says of it, by the keys of settings; what is not said is `nil`.
    var said: [(key: String, value: String?)] {
        let chunking = self.domain.hasChunking ? "\(self.domain.chunking)" : nil
        return [
            ("next-hop", self.domain.hasNextHop ? self.domain.nextHop.settingText : "mx"),
            ("recipients", self.domain.recipientVerification.words), ("tls", self.transport?.keyword),
            ("tls-name", self.transport.flatMap { $0.verifiedName.isEmpty ? nil : $0.verifiedName }),
            ("tls-ca-file", self.transport.flatMap { $0.authoritiesPem.isEmpty ? nil : $0.authoritiesPem }),
            ("chunking", chunking),
        ]
    }

    var fields: [OutputValue.Field] {
        let said = self.said.map { key, value in
            OutputValue.Field(key.split(separator: "-").joined(separator: "_"), .optional(value))
        }
        return [.init("domain", .text(self.domain.name)), .init("version", .number(Int(clamping: self.version)))] + said
            + [.init("listed_recipients", .number(Int(clamping: self.recipients)))]
    }

    static func table(_ style: TableStyle) -> TextTable {
        TextTable("DOMAIN", "NEXT-HOP", "RECIPIENTS", "TLS", "VERSION", style: style)
    }

    var row: [String] {
        let verification = self.domain.recipientVerification
        let recipients = verification == .list ? "list of \(self.recipients)" : verification.words
        return [
            self.domain.name, self.domain.hasNextHop ? self.domain.nextHop.settingText : "mx", recipients,
            self.transport?.keyword ?? "-", "\(self.version)",
        ]
    }

    /// For people, a line for each fact.
    var lines: [String] {
        let facts = self.said.map { key, value -> (String, String) in
            let isLong = value?.contains { $0.isNewline } ?? false
            return (key, isLong ? "(certificates in PEM; -o json shows them)" : value ?? "-")
        }
        let all =
            [("domain", self.domain.name), ("version", "\(self.version)")] + facts
            + [("listed", "\(self.recipients)")]
        return all.map { key, value in
            TextTable.shown(key + String(repeating: " ", count: max(1, 13 - key.count)) + value)
        }
    }
}
