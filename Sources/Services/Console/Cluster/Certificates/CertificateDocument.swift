import ControlAPI
import MailModel
import NodeState

/// A certificate that nodes show, as a controller tells of it.
struct CertificateDocument {
    let summary: ControlCertificateSummary

    private var dates: CertificateDates {
        CertificateDates(
            slot: Int(self.summary.slot), subject: self.summary.name, notBefore: Timestamp(self.summary.notBefore),
            notAfter: Timestamp(self.summary.notAfter))
    }

    func standing(at now: Timestamp) -> CertificateStanding { self.dates.standing(at: now) }

    private var record: String { "3 1 1 \(Array(self.summary.publicKeySha256).hex)" }

    func fields(now: Timestamp) -> [OutputValue.Field] {
        [
            .init("name", .text(self.summary.name)), .init("version", .number(Int(clamping: self.summary.version))),
            .init("slot", .number(Int(self.summary.slot))),
            .init("dns_names", .list(self.summary.dnsNames.map { .text($0) })),
            .init("not_before", .text("\(self.dates.notBefore)")), .init("not_after", .text("\(self.dates.notAfter)")),
            .init("state", .text(self.standing(at: now).words)), .init("tlsa", .text(self.record)),
        ]
    }

    /// With the chain.
    func document(now: Timestamp) -> OutputValue {
        .document(self.fields(now: now) + [.init("chain", .text(self.summary.chainPem))])
    }

    static func table(_ style: TableStyle) -> TextTable {
        TextTable("NAME", "SLOT", "STATE", "ENDS", "DNS-NAMES", "VERSION", style: style)
    }

    func row(now: Timestamp) -> [String] {
        let end = self.dates.notAfter
        return [
            self.summary.name, "\(self.summary.slot)", self.standing(at: now).words,
            end > now ? "in \((end - now).shortText)" : "\((now - end).shortText) ago",
            self.summary.dnsNames.joined(separator: ", "), "\(self.summary.version)",
        ]
    }

    /// For people, a line for each fact.
    func lines(now: Timestamp) -> [String] {
        [
            "name        \(self.summary.name)", "version     \(self.summary.version)",
            "slot        \(self.summary.slot)",
            "dns-names   \(self.summary.dnsNames.joined(separator: ", "))",
            "valid       \(self.dates.notBefore) to \(self.dates.notAfter) (\(self.standing(at: now).words))",
            "TLSA        \(self.record)",
        ].map(TextTable.shown)
    }
}

extension CertificateStanding {
    var words: String {
        switch self {
        case .valid: "valid"
        case .endsSoon: "ends-soon"
        case .endsVerySoon: "ends-very-soon"
        case .expired: "expired"
        case .notYetValid: "not-yet-valid"
        }
    }
}
