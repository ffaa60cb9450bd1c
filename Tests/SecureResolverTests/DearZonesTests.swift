import DNSModel
import LabDNS
import MailModel
import SecureResolver
import TestLiterals
import Testing

/// Zones whose owners mean to keep a validator busy. A look-up of theirs fails, and costs the others nothing.
@Suite("Zones that are dear to validate", .timeLimit(.minutes(3)))
struct DearZonesTests {
    /// What a question may take while others are dear. One record set of the trap, tried to its end, takes longer.
    private static let patience = Duration.seconds(25)

    @Test(
        "hostile-input 27: a KeyTrap zone fails, and those who ask about others meanwhile do not wait for it (field 0)")
    func keyTrap() async throws {
        let hosts = (0..<40).map { "host\($0).alpha.test" }
        let zones = [
            LabZone(
                "trap.test", .keyTrap(keys: 60, signatures: 120),
                [.mx("mx.trap.test"), .a("mx.trap.test", "192.0.2.1"), .tlsa("mx.trap.test", 3, 1, 1, Array(0..<32))]),
            LabZone("alpha.test", hosts.map { .a($0, "192.0.2.2") }),
        ]
        try await LabInternet.withInternet(zones) { internet in
            let resolver = try await LabInternet.resolver(internet)
            let trapped: [DNSQuestion] = [
                .init("trap.test", .mx), .init("mx.trap.test", .a), .init("_25._tcp.mx.trap.test", .tlsa),
            ]
            await withTaskGroup { group in
                for question in trapped {
                    group.addTask {
                        let begun = ContinuousClock.now
                        guard case .failed(.bogus) = await resolver.answer(to: question) else {
                            Issue.record("\(question) is not bogus: \(await resolver.answer(to: question))")
                            return
                        }
                        #expect(begun.duration(to: .now) < Self.patience, "\(question)")
                    }
                }
                for host in hosts {
                    let begun = ContinuousClock.now
                    let answer = await resolver.answer(to: .init(DomainName(host)!, .a))
                    #expect(answer == .found([.address(IPAddress("192.0.2.2")!)], .secure))
                    #expect(begun.duration(to: .now) < Self.patience, "\(host)")
                }
            }
            // 7,200 such signatures for each of three answers would take a minute.
            #expect(resolver.use.processorTime < .seconds(6))
            await resolver.shutdown()
        }
    }

    @Test(
        "hostile-input 27: what a zone denies by 2,501 iterations of NSEC3 is not denied, and what it has is still secure"
    )
    func iterations() async throws {
        let records: [LabRecord] = [.mx("mx.deep.test"), .a("mx.deep.test", "192.0.2.1")]
        try await LabInternet.withInternet([
            LabZone("deep.test", .hashedDenial(iterations: 2_501), records),
            LabZone("fair.test", .hashedDenial(iterations: 10)),
        ]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            #expect(
                await resolver.answer(to: .init("deep.test", .mx))
                    == .found([.mx(preference: 10, exchange: "mx.deep.test")], .secure))
            let tooDear = DNSAnswer.failed(.bogus("NSEC3 with 2501 iterations, more than 2500 (RFC 5155)"))
            #expect(await resolver.answer(to: .init("_25._tcp.mx.deep.test", .tlsa)) == tooDear, "no such name")
            #expect(await resolver.answer(to: .init("mx.deep.test", .aaaa)) == tooDear, "no such record")
            #expect(await resolver.answer(to: .init("fair.test", .mx)) == .absent(.noData, .secure))
            #expect(await resolver.answer(to: .init("none.fair.test", .a)) == .absent(.nameError, .secure))
            await resolver.shutdown()
        }
    }
}
