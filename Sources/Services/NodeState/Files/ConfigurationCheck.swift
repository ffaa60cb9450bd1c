import Cryptography
public import MailModel
import OperatingSystem
public import RelayConfiguration
import RouteLookup
import Routing
import SecureResolver

extension LoadedConfiguration {
    /// Loads the files that the settings name, as a start would, and throws a `ConfigurationError` if one is not good.
    ///
    /// - Parameters:
    ///   - relayd: the program that the resolver's process runs; the one that runs now unless given.
    ///   - withDNS: looks up, too, whether mail of accepted domains would come back to this node.
    ///   - time: by which dates are judged.
    ///   - random: chooses between hosts as good as each other.
    /// - Returns: what works as it is set, and does harm.
    public func checkFiles(
        relayd: String? = nil, withDNS: Bool = false, time: any NodeClock, random: RandomSource
    ) async throws -> [ConfigurationProblem] {
        let files = try await ConfiguredFiles(self, relayd: relayd, time: time)
        let dates = files.certificates.enumerated().compactMap { slot, certificate in
            CertificateDates(certificate, slot: slot).warning(at: time.date).map {
                self.problem(with: "tls.certificates", element: "[\(slot)]", $0)
            }
        }
        let warnings = self.warnings(at: time.date) + files.warnings + dates
        guard withDNS else { return warnings }
        // Interfaces that cannot be told leave nothing to compare with.
        let mail = ReturningMail(
            self.configuration, resolver: files.resolver, interfaces: (try? LocalAddresses.ofInterfaces()) ?? [],
            time: time, random: random)
        return warnings + (await self.returningDomains(mail))
    }

    /// The most domains that are looked up.
    static let mostDomains = 500
    /// Those looked up at once.
    private static let domainsAtOnce = 20

    /// A warning for each accepted domain whose mail would come back, as far as they are looked up.
    private func returningDomains(_ mail: ReturningMail) async -> [ConfigurationProblem] {
        let domains = self.configuration.acceptedDomains.enumerated().filter { $1.nextHop?.address == nil }
        var found: [Int] = []
        await withTaskGroup(of: Int?.self) { group in
            for (count, (index, domain)) in domains.prefix(Self.mostDomains).enumerated() {
                // One more begins when one has ended.
                if count >= Self.domainsAtOnce, let returning = await group.next() {
                    found += [returning].compactMap(\.self)
                }
                group.addTask { await mail.comesBack(domain.domain, by: domain.nextHop) ? index : nil }
            }
            for await returning in group { found += [returning].compactMap(\.self) }
        }
        return found.sorted().map { index in
            let domain = self.configuration.acceptedDomains[index]
            return self.problem(
                with: "accepted-domains", element: "[\(index)]",
                ReturningMail.words(domain.domain, by: domain.nextHop))
        }
    }
}
