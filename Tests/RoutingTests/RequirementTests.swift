import DANE
import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

/// What the records found on a route oblige the client to do.
@Suite("Requirements of hosts")
struct RequirementTests {
    @Test("dane-rules 14: some usable records are all that counts")
    func someUsable() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", .record(0, 0, 1), .good, .record(3, 1, 1, length: 5))
        }.host()
        #expect(host?.requirement.authentication?.records == [.good])
        #expect(host?.tlsa?.judged.count == 3)
    }

    @Test("dane-rules 14: all unusable makes TLS mandatory, not authenticated")
    func allUnusable() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", .record(1, 0, 1), .record(3, 1, 1, data: []))
        }.host()
        #expect(host?.requirement == .encrypt)
        #expect(host?.trust == .endToEnd)
    }

    @Test("dane-rules 17: under an insecure MX the base domain is the only reference identifier")
    func insecureMXNames() {
        let host = Zone {
            MX("example.org", "mx.example.org", state: .insecure, via: ["alias.example.net"])
            TLSA("mx.example.org", .record(2, 1, 1))
        }.host()
        #expect(host?.requirement.authentication?.referenceIdentifiers == ["mx.example.org"])
    }

    @Test("dane-rules 20: the base domain carries the name for SNI")
    func serverName() {
        let host = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", via: ["mail.example.net"])
            TLSA("mail.example.net", .good)
        }.host()
        #expect(host?.requirement.authentication?.baseDomain.name == "mail.example.net")
    }
}
