import LabDNS
import MailModel
import SecureResolver
import TestLiterals

extension SilentNameServers {
    /// The zones, as a resolver's settings have them.
    var stubZones: [SecureResolverSettings.StubZone] {
        self.zones.compactMap { zone in
            guard let name = DomainName(zone.name), let address = IPAddress(zone.address) else { return nil }
            return .init(name, servers: [.init(address, port: self.port)])
        }
    }
}
