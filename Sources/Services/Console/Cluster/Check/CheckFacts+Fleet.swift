import ControlAPI
import MailModel
import NodeState

extension ClusterFacts {
    // MARK: - Nodes

    var nodeFindings: [CheckFinding] {
        let nodes = self.nodes.filter { $0.status != .revoked }
        guard !nodes.isEmpty else {
            return [.warning("nodes", "no node is enrolled", "make a token with `relayctl node token`, and enrol one")]
        }
        let current = nodes.filter { $0.status == .current }
        let all: [CheckFinding] =
            current.count == nodes.count
            ? [.ok("nodes-current", "\(nodes.count.words("node")): all serve state \(self.status.stateVersion)")] : []
        return all + nodes.flatMap(self.findings(of:))
    }

    private func findings(of node: ControlNode) -> [CheckFinding] {
        [self.standing(of: node), self.clock(of: node)].compactMap(\.self)
    }

    private func standing(of node: ControlNode) -> CheckFinding? {
        let id = "node-\(node.status.words)"
        let diff = "`relayctl node diff \(node.name)` shows what differs"
        switch node.status {
        case .current, .revoked: return nil
        case .behind:
            return .warning(
                id, "\(node.name) serves state \(node.servedVersion), and the latest is \(self.status.stateVersion)",
                diff)
        case .refusing:
            return .error(id, "\(node.name) refuses \(NodeDocument(node: node).refusalWords)", diff)
        case .away:
            let seen = node.hasLastSeen ? ", seen \((self.now - Timestamp(node.lastSeen)).shortText) ago" : ""
            return .warning(
                id, "\(node.name) is away\(seen)", "it goes on with what it has; look at its /readyz?verbose")
        case .expired:
            return .error(
                id, "the certificate of \(node.name) has expired",
                "it comes back by itself within the grace; else enrol it with a new token")
        case .unspecified, .UNRECOGNIZED:
            return .warning(id, "\(node.name) is in a state that this program does not know", "update relayctl")
        }
    }

    /// A clock that is off makes certificates seem invalid (control 15).
    private func clock(of node: ControlNode) -> CheckFinding? {
        guard let offset = NodeDocument(node: node).offset, !offset.isWithin(Self.clockTolerance) else { return nil }
        return .warning(
            "node-clock", "the clock of \(node.name) is \(offset.offsetText) off the controller's",
            "set both by NTP: certificates are judged by them")
    }

    // MARK: - Certificates that nodes show

    var certificateFindings: [CheckFinding] {
        let findings = self.certificates.compactMap(self.finding(of:))
        guard findings.isEmpty, !self.certificates.isEmpty else { return findings }
        let next = self.certificates.map { Timestamp($0.notAfter) }.min().map { ($0 - self.now).shortText } ?? ""
        return [
            .ok("certificates", "\(self.certificates.count.words("certificate")): all valid; the first ends in \(next)")
        ]
    }

    private func finding(of certificate: ControlCertificateSummary) -> CheckFinding? {
        let (begin, end) = (Timestamp(certificate.notBefore), Timestamp(certificate.notAfter))
        let hint =
            "import a new one with `relayctl cert import \(certificate.name)`, after its TLSA record is published"
        let id = "certificate-dates"
        return switch CertificateDocument(summary: certificate).standing(at: self.now) {
        case .valid: nil
        case .endsSoon: .warning(id, "certificate \(certificate.name) ends in \((end - self.now).shortText)", hint)
        case .endsVerySoon: .error(id, "certificate \(certificate.name) ends in \((end - self.now).shortText)", hint)
        case .expired: .error(id, "certificate \(certificate.name) expired at \(end)", hint)
        case .notYetValid: .error(id, "certificate \(certificate.name) is not valid before \(begin)", hint)
        }
    }

    // MARK: - Domains

    var domainFindings: [CheckFinding] {
        guard !self.domains.isEmpty else { return [.ok("domains", "there are no domains")] }
        guard let first = self.certificates.min(by: { $0.slot < $1.slot }) else {
            return [
                .error(
                    "domains-certificate", "\(self.domains.count.words("domain")), and no certificate",
                    "import one with `relayctl cert import`; without one their mail comes in clear")
            ]
        }
        let names = Set(self.certificates.flatMap(\.dnsNames).map { $0.lowercased() })
        let others = self.domains.filter { domain in !names.contains { $0 == domain || $0.hasSuffix(".\(domain)") } }
        let own = self.domains.count - others.count
        guard !others.isEmpty else {
            return [.ok("domains-certificate", "\(own.words("domain")): each with a certificate for a host of its own")]
        }
        // Usual where the MX hosts of all have one name: so it is told, and no fault.
        return [
            .ok(
                "domains-certificate",
                "\(self.domains.count.words("domain")): \(own) with a certificate for a host of their own, others (\(ClusterConsole.list(others))) with the default one, \(first.name)"
            )
        ]
    }
}

extension Duration {
    /// Whether a clock is no further off than this, either way.
    func isWithin(_ tolerance: Duration) -> Bool { (.zero - tolerance...tolerance).contains(self) }

    /// Which part of the whole this is.
    func share(of whole: Duration) -> Double {
        Double(self.wholeMicroseconds) / Double(max(1, whole.wholeMicroseconds))
    }
}
