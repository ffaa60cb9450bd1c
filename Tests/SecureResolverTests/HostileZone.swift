import Foundation
import LabDNS
import MailModel
import SecureResolver
import TestLiterals
import Testing

/// A signed zone of an attacker, `evil.test`, and a resolver that trusts its key and asks its server.
///
/// All else the resolver asks of the suite's `LabInternet`.
struct HostileZone {
    static let name = "evil.test"

    let server: ScriptedNameServer
    let resolver: SecureResolver

    /// What such a zone's scripts answer with, signed as it must be.
    struct Records {
        let key: [WireRecord]
        let soa: [WireRecord]
        let signer: ZoneSigner
    }

    /// Runs `body` with a resolver, while a server answers as the closure says that `script` makes of the zone's records.
    static func with(
        _ change: (inout SecureResolverSettings) -> Void = { _ in },
        script: (Records) async throws -> ScriptedNameServer.Script,
        body: (HostileZone) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "relay-evil-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let signer = try await ZoneSigner(Self.name, in: folder)
        let records = Records(
            key: try await signer.signed([signer.key]), soa: try await signer.signed([.soa(Self.name)]),
            signer: signer)
        let server = try ScriptedNameServer(try await script(records))
        defer { server.stop() }
        let address = try #require(IPAddress("127.0.0.1"))
        let zone = try #require(DomainName(Self.name))
        let resolver = try await LabInternet.resolver { settings in
            settings.stubZones = [.init(zone, servers: [.init(address, port: server.port)])]
            settings.trustAnchors.append(.record(signer.anchor))
            change(&settings)
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(HostileZone(server: server, resolver: resolver)))
        } catch {
            result = .failure(error)
        }
        await resolver.shutdown()
        try result.get()
    }
}

extension SecureResolver {
    /// What its processes have computed so far, and have in memory.
    var use: (processorTime: Duration, memory: Int) {
        var (ticks, pages) = (0, 0)
        for process in self.children {
            // The numbers behind the name in brackets begin with the third (proc(5)).
            let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            let words = text.split(separator: ")").last?.split(separator: " ") ?? []
            guard words.count > 21 else { continue }
            ticks += (Int(words[11]) ?? 0) + (Int(words[12]) ?? 0)
            pages += Int(words[21]) ?? 0
        }
        return (.seconds(ticks) / sysconf(Int32(_SC_CLK_TCK)), pages * sysconf(Int32(_SC_PAGESIZE)))
    }
}
