import Cryptography
import Foundation
import LabPeers
import LabRelay
import LabSupport
import Testing

/// What scanners find at the listener of a running relay.
@Suite("A scanner at the listener", .lab([.dane("bravo.test")]), .timeLimit(.minutes(3)))
struct TLSScannerTests {
    /// Findings about the lab's certificate, which a CA of the lab signed for tests, not about the relay.
    private static let findingsOfTheLab: [String: String] = [
        "cert_chain_of_trust": "the lab's CA is in no store of trust; DANE does not ask for that",
        "cert_trust": "the name is not 127.0.0.1, which the scanner called",
        "cert_expirationStatus": "a certificate of the lab lives for 30 days",
        "cert_notAfter": "the same",
        "cert_revocation": "the lab's CA publishes neither CRL nor OCSP",
    ]

    @Test(
        "testssl.sh finds nothing of medium severity or above in protocols, defaults and known attacks",
        .disabled(if: Testssl.program == nil, "testssl.sh is not installed"))
    func testssl() async throws {
        let findings = try await Testssl.findings(port: try SharedLab.lab.smtpPort)
        let grave = findings.filter { $0.isGrave && Self.findingsOfTheLab[$0.id] == nil }
        #expect(grave.isEmpty, "\(grave.map { "\($0.id) \($0.severity): \($0.finding)" }.joined(separator: "\n"))")
        // It did see the listener, and TLS there.
        #expect(findings.first { $0.id == "TLS1_3" }?.finding.hasPrefix("offered") == true, "\(findings)")
        for old in ["SSLv2", "SSLv3", "TLS1", "TLS1_1"] {
            #expect(findings.first { $0.id == old }?.finding == "not offered", "\(old)")
        }
        #expect(findings.contains { $0.id == "heartbleed" } && findings.contains { $0.id == "ROBOT" })
    }

    @Test(
        "sslyze finds no weakness in protocols, cipher suites and known attacks",
        .disabled(if: !Sslyze.isThere, "ops/lib/make-python has not installed sslyze"))
    func sslyze() async throws {
        let weaknesses = try await Sslyze.weaknesses(port: try SharedLab.lab.smtpPort)
        #expect(weaknesses.isEmpty, "\(weaknesses.joined(separator: "\n"))")
    }

    @Test(
        "sslyze does find old protocols and weak suites at a server that has them",
        .disabled(if: !Sslyze.isThere, "ops/lib/make-python has not installed sslyze"))
    func sslyzeElsewhere() async throws {
        let weaknesses = try await WeakServer.with { try await Sslyze.weaknesses(port: $0) }
        #expect(weaknesses.contains("tls_1_0_cipher_suites: an old protocol"), "\(weaknesses)")
        #expect(weaknesses.contains("tls_1_1_cipher_suites: an old protocol"), "\(weaknesses)")
        #expect(weaknesses.contains("tls_1_2_cipher_suites: TLS_ECDHE_ECDSA_WITH_NULL_SHA"), "\(weaknesses)")
        #expect(!weaknesses.contains { $0.hasPrefix("heartbleed") }, "\(weaknesses)")
    }
}

/// Debian's testssl.sh.
private enum Testssl {
    struct Finding: Decodable, Sendable {
        let id, severity, finding: String
        /// Medium or above, or the end of the scan. WARN says that one check did not come to its end, as for want of a cipher in
        /// the scanner's own OpenSSL.
        var isGrave: Bool { ["MEDIUM", "HIGH", "CRITICAL", "FATAL"].contains(self.severity) }
    }

    static var program: String? {
        ["/usr/bin/testssl", "/usr/bin/testssl.sh"].first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Protocols, the server's defaults and the known attacks, at a listener on 127.0.0.1.
    static func findings(port: UInt16) async throws -> [Finding] {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "findings.json")
            let scan = try await ChildProcess(
                try #require(Self.program),
                [
                    "--starttls", "smtp", "--protocols", "--server-defaults", "--vulnerable", "--nodns", "none",
                    "--warnings", "off", "--quiet", "--color", "0", "--jsonfile", file.path, "127.0.0.1:\(port)",
                ], log: folder.appending(path: "log"))
            guard await scan.ended(within: .seconds(150)) else {
                await scan.stop()
                throw LabFailure("testssl.sh took too long: \(scan.lastOutput())")
            }
            let data = try #require(try? Data(contentsOf: file), "\(scan.lastOutput())")
            return try JSONDecoder().decode([Finding].self, from: data)
        }
    }
}

/// aiosmtpd with all that Debian's OpenSSL still lets it speak.
private enum WeakServer {
    private static let script = """
        import ssl, sys, time
        from aiosmtpd.controller import Controller
        from aiosmtpd.handlers import Sink
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:eNULL:@SECLEVEL=0")
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]), tls_context=context).start()
        print("listening", flush=True)
        time.sleep(600)
        """

    static func with<Value>(_ body: (UInt16) async throws -> Value) async throws -> Value {
        try await withTemporaryFolder { folder in
            let leaf = try TestPKI().leaf("weak.test")
            let (chain, key) = (folder.appending(path: "chain.pem"), folder.appending(path: "key.pem"))
            try Data(leaf.chainPEM.utf8).write(to: chain)
            try Data(leaf.key.pem.utf8).write(to: key)
            let port = Ports.unused()
            let server = try await ChildProcess(
                "/usr/bin/python3", ["-c", Self.script, "\(port)", chain.path, key.path],
                log: folder.appending(path: "log"))
            do {
                try await server.ready(within: .seconds(20), "aiosmtpd") { server.lastOutput().contains("listening") }
                let value = try await body(port)
                await server.stop()
                return value
            } catch {
                await server.stop()
                throw error
            }
        }
    }
}
