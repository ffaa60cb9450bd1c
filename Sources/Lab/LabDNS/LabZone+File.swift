import Foundation

extension LabZone {
    /// Whether it has keys of its own.
    var isSigned: Bool {
        switch self.condition {
        case .signed, .wrongDelegationSigner, .digests, .algorithmRollover, .signaturesEnd, .hashedDenial, .keyTrap:
            true
        case .unsigned, .serverFailure: false
        }
    }

    var fileName: String { self.name == "." ? "root.zone" : "\(self.name).zone" }

    /// The closest zone above this one.
    func parent(among zones: [LabZone]) -> LabZone? {
        guard self.name != "." else { return nil }
        let above = zones.filter { $0.name == "." || self.name.hasSuffix("." + $0.name) }
        return above.max { $0.depth < $1.depth }
    }

    private var depth: Int { self.name.split(separator: ".").count }

    /// The zone file but for delegations.
    var lines: [String] {
        let apex = LabRecord.absolute(self.name)
        // Each writing has a later number (RFC 1982), as long as they are a millisecond apart.
        let serial = UInt32(truncatingIfNeeded: Int64(Date().timeIntervalSince1970 * 1000))
        let head = [
            "$TTL \(self.defaultTTL)",
            "\(apex) \(self.negativeTTL) SOA ns.root-servers.test. lab.test. \(serial) 3600 600 86400 \(self.negativeTTL)",
            "\(apex) NS ns.root-servers.test.",
        ]
        return head + self.trapLines
            + self.records.map { record in
                let owner = record.owner.isEmpty ? apex : LabRecord.absolute(record.owner)
                return "\(owner) \(record.timeToLive.map(String.init) ?? "") \(record.type) \(record.data)"
            }
    }

    private var trapLines: [String] {
        guard case .keyTrap(let keys, let signatures) = self.condition else { return [] }
        return KeyTrap(keys: keys, signatures: signatures).keyLines(apex: LabRecord.absolute(self.name))
    }
}
