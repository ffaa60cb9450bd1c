import Foundation
import LabSupport
import Testing

/// The scanner sslyze, as ops/lib/make-python installs it.
enum Sslyze {
    static let python = URL(filePath: FileManager.default.currentDirectoryPath).appending(
        path: ".build/python/bin/python")

    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: Self.python.path) }

    /// The checks that it is told to make, under their names in its report.
    private static let checks: [String: String] = [
        "ssl_2_0_cipher_suites": "sslv2", "ssl_3_0_cipher_suites": "sslv3", "tls_1_0_cipher_suites": "tlsv1",
        "tls_1_1_cipher_suites": "tlsv1_1", "tls_1_2_cipher_suites": "tlsv1_2", "tls_1_3_cipher_suites": "tlsv1_3",
        "heartbleed": "heartbleed", "openssl_ccs_injection": "openssl_ccs", "robot": "robot",
        "tls_compression": "compression", "session_renegotiation": "reneg", "tls_fallback_scsv": "fallback",
        "tls_extended_master_secret": "ems", "tls_1_3_early_data": "early_data",
    ]

    /// Everything that is wrong with TLS behind STARTTLS at a listener on 127.0.0.1, a check that was not made included.
    static func weaknesses(port: UInt16) async throws -> [String] {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "report.json")
            let scan = try await ChildProcess(
                Self.python.path,
                ["-m", "sslyze", "--starttls", "smtp", "--mozilla_config", "disable", "--quiet"]
                    + Self.checks.values.map { "--\($0)" } + ["--json_out", file.path, "127.0.0.1:\(port)"],
                log: folder.appending(path: "log"))
            guard await scan.ended(within: .seconds(120)) else {
                await scan.stop()
                throw LabFailure("sslyze took too long: \(scan.lastOutput())")
            }
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let data = try #require(try? Data(contentsOf: file), "\(scan.lastOutput())")
            let server = try #require(try decoder.decode(Report.self, from: data).serverScanResults.first)
            let results = try #require(server.scanResult, "no TLS there: \(server.connectivityErrorTrace ?? "")")
            return Self.checks.keys.sorted().flatMap { name in
                results[name]?.result.map { Self.weaknesses(name, $0) } ?? ["\(name): not made"]
            }
        }
    }

    private static func weaknesses(_ name: String, _ result: Report.Result) -> [String] {
        var found: [String] = []
        if let isSupported = result.isTlsVersionSupported {
            let isModern = ["tls_1_2_cipher_suites", "tls_1_3_cipher_suites"].contains(name)
            if isSupported != isModern { found.append(isSupported ? "an old protocol" : "no modern protocol") }
        }
        found += (result.acceptedCipherSuites ?? []).map(\.cipherSuite).filter(\.isWeak).map(\.name)
        let isBad: [(String, Bool?)] = [
            ("vulnerable", result.isVulnerableToHeartbleed), ("vulnerable", result.isVulnerableToCcsInjection),
            ("vulnerable", result.robotResult.map { !$0.hasPrefix("NOT_VULNERABLE") }),
            ("offered", result.supportsCompression), ("offered", result.supportsEarlyData),
            ("the client may renegotiate", result.isVulnerableToClientRenegotiationDos),
            ("no secure renegotiation", result.supportsSecureRenegotiation.map(!)),
            ("missing", result.supportsFallbackScsv.map(!)), ("missing", result.supportsEmsExtension.map(!)),
        ]
        return (found + isBad.filter { $0.1 == true }.map(\.0)).map { "\(name): \($0)" }
    }
}

/// The parts of sslyze's report that weaknesses show in.
private struct Report: Decodable {
    struct Server: Decodable {
        let connectivityErrorTrace: String?
        let scanResult: [String: Check]?
    }

    struct Check: Decodable { let result: Result? }

    /// Of all checks; each has its own few.
    struct Result: Decodable {
        let isTlsVersionSupported: Bool?
        let acceptedCipherSuites: [Accepted]?
        let isVulnerableToHeartbleed, isVulnerableToCcsInjection: Bool?
        let robotResult: String?
        let supportsCompression, supportsEarlyData: Bool?
        let supportsSecureRenegotiation, isVulnerableToClientRenegotiationDos: Bool?
        let supportsFallbackScsv, supportsEmsExtension: Bool?
    }

    struct Accepted: Decodable { let cipherSuite: Suite }

    struct Suite: Decodable {
        let name: String
        let isAnonymous: Bool
        let keySize: Int

        var isWeak: Bool {
            self.isAnonymous || self.keySize < 128
                || ["NULL", "EXPORT", "RC2", "RC4", "DES", "MD5"].contains { self.name.contains($0) }
        }
    }

    let serverScanResults: [Server]
}
