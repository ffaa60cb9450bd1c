import DNSModel
import FoundationEssentials
import LabDNS
import LabRelay
import LabSupport
import Logging
import MailModel
import OperatingSystem
import SecureResolver

/// What a validating resolver of our own says about the TLSA records of one of the lab's hosts.
struct TLSAObservation {
    /// The name that was asked for.
    let name: String
    /// The records, if they were validated from the root's trust anchor.
    let secureRecords: [TLSARecord]
    /// The answer in words.
    let description: String
    /// How long it took.
    let duration: Duration

    /// Asks for the records of a domain's MX host.
    static func ask(_ lab: LabRelay, domain: String) async throws -> TLSAObservation {
        guard let host = DomainName(lab.peer(domain).domain.host),
            let name = host.prefixed(by: "_\(lab.deliveryPort)._tcp"), let server = IPAddress(lab.internet.address)
        else { throw LabFailure("\(domain) has no host of that name") }
        var settings = SecureResolverSettings()
        settings.forwarders = [.init(server, port: lab.internet.port)]
        settings.trustAnchors = [.file(lab.internet.trustAnchorFile.path)]
        settings.options = lab.internet.resolverOptions.map { .init($0.name, $0.value) }
        // What the node has, not what this program is.
        settings.executable = lab.relayd.executable.path
        let resolver = try await SecureResolver(
            settings: settings, logger: .quiet,
            now: { .systemNow })
        let start = ContinuousClock.now
        let answer = await resolver.answer(to: DNSQuestion(name, .tlsa))
        let duration = ContinuousClock.now - start
        await resolver.shutdown()
        var records: [TLSARecord] = []
        if case .found(let found, .secure, _) = answer {
            for case .tlsa(let record) in found { records.append(record) }
        }
        return TLSAObservation(
            name: name.text, secureRecords: records, description: "\(answer)", duration: duration)
    }
}
