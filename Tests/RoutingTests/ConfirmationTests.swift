import DNSModel
import MailModel
import Routing
import TestLiterals
import Testing

/// What a later look-up must say of a host for a connection to it to be made as it was planned.
@Suite("A plan that has waited")
struct ConfirmationTests {
    private static let one: TLSARecord = .digest(1)
    private static let two: TLSARecord = .digest(2)

    private func host(_ zone: Zone) throws -> PlannedHost { try #require(zone.host()) }

    private var planned: PlannedHost {
        get throws {
            try self.host(
                Zone {
                    MX("example.org", "mx.example.org")
                    TLSA("mx.example.org", Self.one, Self.two)
                })
        }
    }

    @Test("The same records in another order confirm it (field D7)")
    func reordered() throws {
        let later = try self.host(
            Zone {
                MX("example.org", "mx.example.org")
                TLSA("mx.example.org", Self.two, Self.one)
            })
        #expect(try self.planned.isConfirmed(by: later, at: .v4(0xC000_0201)))
    }

    @Test("Other records, none, a failed look-up and another address do not (field D7)")
    func changed() throws {
        let rolled = Zone {
            MX("example.org", "mx.example.org")
            TLSA("mx.example.org", Self.two)
        }
        let removed = Zone { MX("example.org", "mx.example.org") }
        let failed = Zone {
            MX("example.org", "mx.example.org")
            Fail(.tlsa, .tlsa("mx.example.org"), .timeout)
        }
        let moved = Zone {
            MX("example.org", "mx.example.org")
            A("mx.example.org", "192.0.2.99")
            TLSA("mx.example.org", Self.one, Self.two)
        }
        for zone in [rolled, removed, failed, moved] {
            #expect(try !self.planned.isConfirmed(by: self.host(zone), at: .v4(0xC000_0201)))
        }
    }

    @Test("A host that is tried later is found by its name; one that is no MX host any more is not (field D7)")
    func byName() {
        var generator = InOrder()
        let hosts = RoutePlanning(to: .domain("example.org"), policy: RoutePolicy())
        let zone = Zone { MX("example.org", "mx1.example.org", "mx2.example.org") }
        let question = DNSQuestion("example.org", .mx)
        guard case .hosts(let planned) = hosts.step([question: zone.answer(question)]) else {
            Issue.record("no hosts")
            return
        }
        let mxOrder = MXOrder(planned, using: &generator)
        #expect(mxOrder.planning(of: "mx2.example.org")?.name == "mx2.example.org")
        #expect(mxOrder.planning(of: "mx3.example.org") == nil)
    }
}

extension TLSARecord {
    fileprivate static func digest(_ byte: UInt8) -> TLSARecord {
        TLSARecord(
            usage: .daneEE, selector: .spki, matchingType: .sha256,
            associationData: [UInt8](repeating: byte, count: 32))
    }
}
