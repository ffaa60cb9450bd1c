import ArgumentParser
import Cryptography
import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport
import MailModel
import OperatingSystem
import QueueStore

struct Handshakes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the processor time of a handshake with a host that matches none of its many TLSA records.",
        discussion: """
            One message goes to the host again and again, a second after each failure. The host presents a long chain of \
            P-521 certificates; its TLSA records are keys of P-521 that signed nothing.
            """)

    @Option(name: .long, help: "TLSA records (2 1 0), each a key of P-521.")
    var records = 100

    @Option(name: .long, help: "Certificates of the host's chain.")
    var chain = 32

    @Option(name: .long, help: "Handshakes.")
    var handshakes = 20

    @Option(name: .long, help: "Another relayd to measure.")
    var relayd: String?

    @Option(name: .long, help: "A setting of relayd as key=value in YAML; may be given again.")
    var set: [String] = []

    func validate() throws {
        guard (1...100).contains(self.records), (2...60).contains(self.chain), self.handshakes > 0 else {
            throw ValidationError("Give 1 to 100 records, a chain of 2 to 60, and handshakes above 0.")
        }
    }

    func run() async throws {
        var options = LabRelayOptions()
        options.relayd = self.relayd.map { URL(filePath: $0) }
        let port = Ports.unused()
        options.deliveryPort = port
        options.settings = ["retry.dane-schedule": "[1s]"].merging(Dictionary(self.set.map(EndToEnd.split)) { $1 }) {
            $1
        }
        var domain = LabDomain(Bench.domain, publishesTLSA: false)
        domain.leaf = try Self.leaf(domain.host, below: self.chain - 1)
        domain.records = try (0..<self.records).map { _ in
            .tlsa(domain.host, port: port, 2, 1, 0, try PrivateKey(.p521).subjectPublicKeyInfo)
        }
        print(try await LabRelay.with([domain], options) { try await self.measure($0) })
    }

    private func measure(_ lab: LabRelay) async throws -> String {
        guard let process = lab.relayd.processIdentifier else { throw LabFailure("relayd does not run") }
        func processorTime() throws -> Duration { try ProcessTree.processorTime(of: process) }
        let server = lab.peer(Bench.domain).server
        let idleSeconds = 5
        let beforeIdle = try processorTime()
        try await Task.sleep(for: .seconds(idleSeconds))
        let idle = (try processorTime() - beforeIdle) / idleSeconds

        let (before, start) = (try processorTime(), ContinuousClock.now)
        let id = try await lab.submit(to: "sink@\(Bench.domain)")
        let areMade = await server.wait(within: .seconds(60 + 10 * self.handshakes)) {
            $0.connectionCount >= self.handshakes
        }
        guard areMade else { throw LabFailure("only \(server.connectionCount) connections were made") }
        // The last explanation may run for a while yet.
        try await Task.sleep(for: .seconds(1))
        let (used, elapsed) = (try processorTime() - before, ContinuousClock.now - start)
        let count = server.connectionCount
        let each = (used - idle * (elapsed / .seconds(1))) / count
        let reply = try await lab.trace(of: id).last { $0.kind == .defer }?.reply ?? "none"
        return """
            failed handshakes   \(count), with \(self.records) records and a chain of \(self.chain)
            processor time      \(Self.milliseconds(each)) each; an idle node takes \(Self.milliseconds(idle)) a second
            the last reply      \(reply)
            """
    }

    private static func milliseconds(_ time: Duration) -> String {
        "\((time / .milliseconds(1) * 10).rounded() / 10) ms"
    }

    /// A certificate for the host below so many authorities, each with a key of P-521.
    private static func leaf(_ host: String, below count: Int) throws -> TestPKI.Leaf {
        let now = Timestamp.systemNow
        func request(_ name: String, isAuthority: Bool) -> CertificateRequest {
            CertificateRequest(
                commonName: name, dnsNames: isAuthority ? [] : [name], notBefore: now + .seconds(-3600),
                notAfter: now + .seconds(86_400), isAuthority: isAuthority)
        }
        var issuer = try CertificateAuthority.selfSigned(request("Root", isAuthority: true), key: PrivateKey(.p521))
        var chain = [issuer.certificate]
        for number in 1..<max(1, count) {
            let key = try PrivateKey(.p521)
            let certificate = try issuer.issue(request("Authority \(number)", isAuthority: true), key: key)
            issuer = CertificateAuthority(certificate: certificate, key: key)
            chain.insert(certificate, at: 0)
        }
        let key = try PrivateKey(.p521)
        let certificate = try issuer.issue(request(host, isAuthority: false), key: key)
        return TestPKI.Leaf(
            certificate: certificate, key: key, chainPEM: ([certificate] + chain).map(\.pem).joined())
    }
}
