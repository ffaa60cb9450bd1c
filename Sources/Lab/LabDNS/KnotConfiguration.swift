import Foundation

/// The configuration file of one Knot server.
struct KnotConfiguration {
    /// How long signatures live, unless a zone's are to end earlier.
    static let signatureLifetime = Duration.seconds(14 * 86_400)

    private let files: KnotFiles
    private let zones: [LabZone]

    init(_ files: KnotFiles, _ zones: [LabZone]) {
        self.files = files
        self.zones = zones
    }

    /// The file in the form of knot.conf(5).
    var text: String {
        let folder = self.files.directory.path
        let head = """
            server:
                listen: 127.0.0.1@\(self.files.port)
                rundir: \(folder)
                pidfile: knot.pid
                udp-workers: 1
                tcp-workers: 2
                background-workers: 1
            database:
                storage: \(folder)/db
                kasp-db-max-size: 50M
                journal-db-max-size: 100M
                timer-db-max-size: 10M
            control:
                listen: \(self.files.socket.path)
            log:
              - target: stderr
                any: notice
            template:
              - id: default
                storage: \(folder)/zones
                zonefile-sync: -1
                zonefile-load: difference-no-serial
                journal-content: all

            """
        return head + "policy:\n" + self.policies.joined() + "zone:\n" + self.zones.map(self.section).joined()
    }

    private var policies: [String] {
        let denials: [String] = self.zones.compactMap { zone in
            guard case .hashedDenial(let iterations, let optOut) = zone.condition else { return nil }
            return self.policy(
                zone.policy,
                ["nsec3: on", "nsec3-iterations: \(iterations)", "nsec3-opt-out: \(optOut ? "on" : "off")"])
        }
        // Else it would take keys out of the zone that it has no private half of.
        let trap = self.policy("trap", ["dnskey-management: incremental", "delete-delay: 30d"])
        return [self.policy("lab"), trap] + denials
    }

    private func policy(_ identifier: String, _ lines: [String] = []) -> String {
        let all =
            [
                "manual: on", "algorithm: ecdsap256sha256", "single-type-signing: on",
                "rrsig-lifetime: \(Self.signatureLifetime.components.seconds)",
            ] + lines
        return "  - id: \(identifier)\n" + all.map { "    \($0)\n" }.joined()
    }

    private func section(_ zone: LabZone) -> String {
        let head = "  - domain: \(LabRecord.absolute(zone.name))\n    file: \(zone.fileName)\n"
        switch zone.condition {
        case .signed, .wrongDelegationSigner, .digests, .algorithmRollover, .hashedDenial:
            return head + "    dnssec-signing: on\n    dnssec-policy: \(zone.policy)\n"
        case .signaturesEnd, .keyTrap:
            // kzonesign reads the policy here; the server takes its work as it is, serial number included.
            return head + "    dnssec-policy: \(zone.policy)\n    zonefile-load: whole\n    journal-content: none\n"
        case .unsigned, .serverFailure:
            return head
        }
    }
}

extension LabZone {
    /// The signing policy, which the zones of one condition share.
    fileprivate var policy: String {
        switch self.condition {
        case .hashedDenial: "denial-\(self.name)"
        case .keyTrap: "trap"
        case .signed, .unsigned, .wrongDelegationSigner, .digests, .algorithmRollover, .signaturesEnd, .serverFailure:
            "lab"
        }
    }
}
