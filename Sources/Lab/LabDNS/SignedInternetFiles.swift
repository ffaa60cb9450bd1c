import Foundation
import LabSupport

/// The files of one Knot server: its configuration, keys, zone files and control socket.
struct KnotFiles: Sendable {
    let directory: URL
    let port: UInt16

    var configuration: URL { self.directory.appending(path: "knot.conf") }
    var trustAnchor: URL { self.directory.appending(path: "root.key") }
    var log: URL { self.directory.appending(path: "knotd.log") }
    var socket: URL { self.directory.appending(path: "knot.sock") }
    private var presigned: URL { self.directory.appending(path: "presigned") }

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
            try Data(KnotConfiguration(self, zones).text.utf8).write(to: self.configuration)
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
            if child.isSigned { lines += try await self.delegationSigners(child) }
        }
        if zone.name == "." || zone.name == "test" { lines += ["ns.root-servers.test. A 127.0.0.1"] }
        try self.save(lines.joined(separator: "\n") + "\n", to: self.zoneFile(zone))
        switch zone.condition {
        case .signaturesEnd(let validity): try await self.sign(zone, validFor: validity)
        case .keyTrap(let keys, let signatures):
            try await self.sign(zone, validFor: KnotConfiguration.signatureLifetime) {
                KeyTrap(keys: keys, signatures: signatures).springing(in: $0)
            }
        case .signed, .unsigned, .wrongDelegationSigner, .digests, .algorithmRollover, .hashedDenial, .serverFailure: ()
        }
    }

    /// Signs the zone file in place, as it would have been signed at the time from which `validity` is left by now.
    private func sign(
        _ zone: LabZone, validFor validity: Duration, thenChanging change: (String) -> String = { $0 }
    ) async throws(ChildProcess.Failure) {
        let age = KnotConfiguration.signatureLifetime - validity
        let start = Int64(Date().timeIntervalSince1970) - age.components.seconds
        try await ChildProcess.run(
            "kzonesign",
            ["-c", self.configuration.path, "-o", self.presigned.path, "-t", "\(start)", LabRecord.absolute(zone.name)])
        do {
            let signed = try String(contentsOf: self.presigned.appending(path: zone.fileName), encoding: .utf8)
            try Data(change(signed).utf8).write(to: self.zoneFile(zone))
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
    private func delegationSigners(_ child: LabZone) async throws(ChildProcess.Failure) -> [String] {
        let lines = try await self.keymgr(child, ["ds"]).split(separator: "\n").map(String.init)
        switch child.condition {
        case .wrongDelegationSigner: return lines.map(Self.forOtherKey)
        case .digests(let right, let wrong):
            let all = lines + [try await self.sha1DelegationSigner(child, like: lines.first ?? "")]
            return all.filter { line in right.contains { Self.digestType(of: line) == "\($0)" } }
                + all.filter { line in wrong.contains { Self.digestType(of: line) == "\($0)" } }.map(Self.forOtherKey)
        case .algorithmRollover(let algorithm): return lines + lines.map { Self.forOtherKey($0, algorithm) }
        default: return lines
        }
    }

    /// The line with another algorithm, and the digest of another key.
    private static func forOtherKey(_ line: String, _ algorithm: UInt8) -> String {
        var words = Self.forOtherKey(line).split(separator: " ")
        // Digest, its type, and before them the algorithm.
        if words.count >= 3 { words[words.count - 3] = "\(algorithm)" }
        return words.joined(separator: " ")
    }

    private static func digestType(of line: String) -> String? {
        line.split(separator: " ").dropLast().last.map(String.init)
    }

    private static func forOtherKey(_ line: String) -> String {
        var words = line.split(separator: " ")
        if let digest = words.popLast() { words.append(Substring(String(digest.reversed()))) }
        return words.joined(separator: " ")
    }

    /// Knot makes none by SHA-1 (RFC 4034 §5.1.4: over owner and RDATA).
    private func sha1DelegationSigner(_ child: LabZone, like line: String) async throws(ChildProcess.Failure) -> String
    {
        let words = try await self.keymgr(child, ["dnskey"]).split(whereSeparator: \.isWhitespace)
        guard words.count == 6, let flags = UInt16(words[2]), let algorithm = UInt8(words[4]),
            let key = Data(base64Encoded: String(words[5]))
        else { throw ChildProcess.Failure("keymgr shows no DNSKEY of \(child.name)") }
        var owner: [UInt8] = []
        for label in child.name.split(separator: ".") { owner += [UInt8(label.utf8.count)] + Array(label.utf8) }
        let head: [UInt8] = [0, UInt8(flags >> 8), UInt8(flags & 0xFF), 3, algorithm]
        let file = self.directory.appending(path: "\(child.name).dnskey")
        do {
            try Data(owner + head + Array(key)).write(to: file)
        } catch {
            throw ChildProcess.Failure("cannot write \(file.path): \(error)")
        }
        let digest = try await ChildProcess.run("openssl", ["dgst", "-sha1", "-r", file.path]).prefix(40)
        return (line.split(separator: " ").dropLast(2).map(String.init) + ["1", String(digest)]).joined(separator: " ")
    }

    private func zoneFile(_ zone: LabZone) -> URL { self.directory.appending(path: "zones/\(zone.fileName)") }

    private func save(_ text: String, to file: URL) throws(ChildProcess.Failure) {
        do {
            try Data(text.utf8).write(to: file)
        } catch {
            throw ChildProcess.Failure("cannot write \(file.path): \(error)")
        }
    }
}
