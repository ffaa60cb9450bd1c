import Foundation

/// The files of one Knot server: its configuration, keys, zone files and control socket.
struct KnotFiles: Sendable {
    let directory: URL
    let port: UInt16

    var configuration: URL { self.directory.appending(path: "knot.conf") }
    var trustAnchor: URL { self.directory.appending(path: "root.key") }
    var log: URL { self.directory.appending(path: "knotd.log") }
    private var socket: URL { self.directory.appending(path: "knot.sock") }
    private var presigned: URL { self.directory.appending(path: "presigned") }

    /// How long Knot's signatures live by our policy.
    private static let signatureLifetime = Duration.seconds(14 * 86_400)

    init(directory: URL, port: UInt16) {
        self.directory = directory
        self.port = port
    }

    /// Writes the configuration, makes a key for each signed zone, and writes all zone files.
    func create(_ zones: [LabZone]) async throws(ChildProcess.Failure) {
        do {
            for folder in ["zones", "presigned", "db"] {
                try FileManager.default.createDirectory(
                    at: self.directory.appending(path: folder), withIntermediateDirectories: true)
            }
            try Data(self.configurationText(zones).utf8).write(to: self.configuration)
        } catch {
            throw ChildProcess.Failure("cannot write to \(self.directory.path): \(error)")
        }
        for zone in zones where zone.isSigned {
            // A key from 2020 on, so that signatures can also be made for a time in the past.
            try await self.keymgr(
                zone,
                ["generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes"]
                    + ["created", "publish", "ready", "active"].map { "\($0)=20200101000000" })
        }
        for zone in zones { try await self.write(zone, among: zones) }
        guard let root = zones.first(where: { $0.name == "." }) else { return }
        try self.save(try await self.keymgr(root, ["ds"]), to: self.trustAnchor)
    }

    /// Writes the file of one zone, and signs it here where the server does not.
    func write(_ zone: LabZone, among zones: [LabZone]) async throws(ChildProcess.Failure) {
        if zone.condition == .serverFailure { return }
        var lines = zone.lines
        for child in zones where child.parent(among: zones)?.name == zone.name {
            let name = LabRecord.absolute(child.name)
            lines.append("\(name) NS ns.root-servers.test.")
            if child.isSigned { lines += self.delegationSigner(child, try await self.keymgr(child, ["ds"])) }
        }
        if zone.name == "." || zone.name == "test" { lines += ["ns.root-servers.test. A 127.0.0.1"] }
        try self.save(lines.joined(separator: "\n") + "\n", to: self.zoneFile(zone))
        if case .signaturesEnd(let validity) = zone.condition { try await self.sign(zone, validFor: validity) }
    }

    /// Signs the zone file in place, as it would have been signed at the time from which `validity` is left by now.
    private func sign(_ zone: LabZone, validFor validity: Duration) async throws(ChildProcess.Failure) {
        let start = Int64(Date().timeIntervalSince1970) + (validity - Self.signatureLifetime).components.seconds
        try await ChildProcess.run(
            "kzonesign",
            ["-c", self.configuration.path, "-o", self.presigned.path, "-t", "\(start)", LabRecord.absolute(zone.name)])
        do {
            let signed = try Data(contentsOf: self.presigned.appending(path: zone.fileName))
            try signed.write(to: self.zoneFile(zone))
        } catch {
            throw ChildProcess.Failure("cannot move the signed zone \(zone.name): \(error)")
        }
    }

    /// Sends a command to the running server.
    @discardableResult
    func control(_ arguments: [String]) async throws(ChildProcess.Failure) -> String {
        try await ChildProcess.run("knotc", ["-s", self.socket.path, "-t", "10"] + arguments)
    }

    /// Whether the server has opened its control socket and answers there.
    func isControllable() async -> Bool { (try? await self.control(["status"])) != nil }

    @discardableResult
    private func keymgr(_ zone: LabZone, _ arguments: [String]) async throws(ChildProcess.Failure) -> String {
        try await ChildProcess.run(
            "keymgr", ["-c", self.configuration.path, LabRecord.absolute(zone.name)] + arguments)
    }

    /// The DS records for a child; where they shall be wrong, the digest of another key.
    private func delegationSigner(_ child: LabZone, _ records: String) -> [String] {
        let lines = records.split(separator: "\n").map(String.init)
        guard child.condition == .wrongDelegationSigner else { return lines }
        return lines.map { line in
            var words = line.split(separator: " ")
            if let digest = words.popLast() { words.append(Substring(String(digest.reversed()))) }
            return words.joined(separator: " ")
        }
    }

    private func zoneFile(_ zone: LabZone) -> URL { self.directory.appending(path: "zones/\(zone.fileName)") }

    private func save(_ text: String, to file: URL) throws(ChildProcess.Failure) {
        do {
            try Data(text.utf8).write(to: file)
        } catch {
            throw ChildProcess.Failure("cannot write \(file.path): \(error)")
        }
    }

    // MARK: Configuration

    private func configurationText(_ zones: [LabZone]) -> String {
        let head = """
            server:
                listen: 127.0.0.1@\(self.port)
                rundir: \(self.directory.path)
                pidfile: knot.pid
                udp-workers: 1
                tcp-workers: 2
                background-workers: 1
            database:
                storage: \(self.directory.path)/db
                kasp-db-max-size: 50M
                journal-db-max-size: 100M
                timer-db-max-size: 10M
            control:
                listen: \(self.socket.path)
            log:
              - target: stderr
                any: notice
            policy:
              - id: lab
                manual: on
                algorithm: ecdsap256sha256
                single-type-signing: on
                rrsig-lifetime: \(Self.signatureLifetime.components.seconds)
            template:
              - id: default
                storage: \(self.directory.path)/zones
                zonefile-sync: -1
                zonefile-load: difference-no-serial
                journal-content: all
            zone:

            """
        return head + zones.map(self.zoneText).joined()
    }

    private func zoneText(_ zone: LabZone) -> String {
        let head = "  - domain: \(LabRecord.absolute(zone.name))\n    file: \(zone.fileName)\n"
        switch zone.condition {
        case .signed, .wrongDelegationSigner:
            return head + "    dnssec-signing: on\n    dnssec-policy: lab\n"
        case .signaturesEnd:
            // kzonesign reads the policy here; the server takes its work as it is, serial number included.
            return head + "    dnssec-policy: lab\n    zonefile-load: whole\n    journal-content: none\n"
        case .unsigned, .serverFailure:
            return head
        }
    }
}

extension LabZone {
    /// Whether it has keys of its own.
    fileprivate var isSigned: Bool {
        switch self.condition {
        case .signed, .wrongDelegationSigner, .signaturesEnd: true
        case .unsigned, .serverFailure: false
        }
    }

    fileprivate var fileName: String { self.name == "." ? "root.zone" : "\(self.name).zone" }

    /// The closest zone above this one.
    fileprivate func parent(among zones: [LabZone]) -> LabZone? {
        guard self.name != "." else { return nil }
        let above = zones.filter { $0.name == "." || self.name.hasSuffix("." + $0.name) }
        return above.max { $0.depth < $1.depth }
    }

    private var depth: Int { self.name.split(separator: ".").count }

    /// The zone file but for delegations.
    fileprivate var lines: [String] {
        let apex = LabRecord.absolute(self.name)
        // Each writing has a later number (RFC 1982), as long as they are a millisecond apart.
        let serial = UInt32(truncatingIfNeeded: Int64(Date().timeIntervalSince1970 * 1000))
        let head = [
            "$TTL \(self.defaultTTL)",
            "\(apex) \(self.negativeTTL) SOA ns.root-servers.test. lab.test. \(serial) 3600 600 86400 \(self.negativeTTL)",
            "\(apex) NS ns.root-servers.test.",
        ]
        return head
            + self.records.map { record in
                let owner = record.owner.isEmpty ? apex : LabRecord.absolute(record.owner)
                return "\(owner) \(record.timeToLive.map(String.init) ?? "") \(record.type) \(record.data)"
            }
    }
}
