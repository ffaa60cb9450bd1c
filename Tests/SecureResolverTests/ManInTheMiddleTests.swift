import DANE
import DNSModel
import LabDNS
import MailModel
import Routing
import SecureResolver
import TestLiterals
import Testing

/// Answers without signatures, from somebody who stands between us and signed zones of all kinds.
@Suite("A man in the middle", .timeLimit(.minutes(3)))
struct ManInTheMiddleTests {
    private static func zone(_ name: String, _ condition: LabZone.Condition = .signed) -> LabZone {
        LabZone(
            name, condition,
            [.mx("mx.\(name)"), .a("mx.\(name)", "192.0.2.1"), .tlsa("mx.\(name)", 3, 1, 1, Array(0..<32))])
    }

    /// The hosts of a domain as they are planned with what the resolver says.
    private static func hosts(of domain: DomainName, _ resolver: SecureResolver) async -> [PlannedHost] {
        var answers: [DNSQuestion: DNSAnswer] = [:]
        let planning = RoutePlanning(to: .domain(domain))
        while case .ask(let questions) = planning.step(answers) {
            for question in questions { answers[question] = await resolver.answer(to: question) }
        }
        guard case .hosts(let hosts) = planning.step(answers) else { return [] }
        var planned: [PlannedHost] = []
        for host in hosts {
            var answers: [DNSQuestion: DNSAnswer] = [:]
            while case .ask(let questions) = host.step(answers, parses: { _ in true }) {
                for question in questions { answers[question] = await resolver.answer(to: question) }
            }
            if case .planned(let host) = host.step(answers, parses: { _ in true }) { planned.append(host) }
        }
        return planned
    }

    /// Why a domain has no route, with its host looked up if it is its own.
    private static func noRoute(to domain: DomainName, _ resolver: SecureResolver) async -> NoRoute? {
        var answers: [DNSQuestion: DNSAnswer] = [:]
        let planning = RoutePlanning(to: .domain(domain))
        while case .ask(let questions) = planning.step(answers) {
            for question in questions { answers[question] = await resolver.answer(to: question) }
        }
        if case .none(let reason) = planning.step(answers) { return reason }
        guard case .hosts(let hosts) = planning.step(answers), let host = hosts.first else { return nil }
        while case .ask(let questions) = host.step(answers, parses: { _ in true }) {
            for question in questions { answers[question] = await resolver.answer(to: question) }
        }
        switch host.step(answers, parses: { _ in true }) {
        case .none(let reason): return reason
        case .planned(let host): return host.failure.map { .failed($0) }
        case .ask: return nil
        }
    }

    private static func between(
        _ zones: [LabZone], _ forgeries: ManInTheMiddle.Forgery..., body: (SecureResolver) async throws -> Void
    ) async throws {
        try await LabInternet.withInternet(zones) { internet in
            let man = try ManInTheMiddle(before: internet.port, forgeries)
            defer { man.stop() }
            let resolver = try await LabInternet.resolver(internet) { settings in
                settings.forwarders[0].port = man.port
                settings.options.append(.init("edns-buffer-size", "4096"))
            }
            try await body(resolver)
            await resolver.shutdown()
        }
    }

    private static func isBogus(_ host: PlannedHost) -> Bool {
        if case .dnssecInvalid(_, .bogus) = host.failure { true } else { false }
    }

    @Test(
        "dane-rules 12a: TLSA that somebody denies without signature is never believed of a signed zone (field D2)",
        arguments: [.signed, .hashedDenial(iterations: 200), .hashedDenial(iterations: 3_000)]
            as [LabZone.Condition])
    func strippedTLSA(_ condition: LabZone.Condition) async throws {
        try await Self.between([Self.zone("deep.test", condition)], .init("deep.test", type: 52)) { resolver in
            let hosts = await Self.hosts(of: "deep.test", resolver)
            #expect(hosts.count == 1)
            #expect(hosts.allSatisfy(Self.isBogus), "\(hosts)")
            guard condition == .hashedDenial(iterations: 3_000) else { return }
            // This is what libunbound makes of a zone that it does not compute, and why its word alone is not enough.
            #expect(
                await resolver.answer(to: .init("_25._tcp.mx.deep.test", .tlsa)) == .absent(.noData, .insecure))
        }
    }

    @Test(
        "dane-rules 12a: he may deny DS on the way as well; that makes it no better (field D2)",
        arguments: [.hashedDenial(iterations: 200), .hashedDenial(iterations: 3_000)] as [LabZone.Condition])
    func strippedDelegations(_ condition: LabZone.Condition) async throws {
        try await Self.between(
            [Self.zone("deep.test", condition)], .init("deep.test", type: 52), .init("mx.deep.test", type: 43)
        ) { resolver in
            let hosts = await Self.hosts(of: "deep.test", resolver)
            #expect(hosts.count == 1)
            #expect(hosts.allSatisfy(Self.isBogus), "\(hosts)")
        }
    }

    @Test(
        "dane-rules 12a: a forged address of the domain's own host is never used without authentication (field D2)",
        arguments: [.signed, .hashedDenial(iterations: 200), .hashedDenial(iterations: 3_000)]
            as [LabZone.Condition])
    func forgedAddress(_ condition: LabZone.Condition) async throws {
        try await Self.between(
            [Self.zone("deep.test", condition)], .init("mx.deep.test", type: 1, data: [198, 51, 100, 66])
        ) { resolver in
            let hosts = await Self.hosts(of: "deep.test", resolver)
            #expect(hosts.count == 1)
            #expect(hosts.allSatisfy { $0.failure != nil && $0.addresses.isEmpty }, "\(hosts)")
        }
    }

    @Test(
        "dane-rules 12a: who denies MX and addresses of a signed domain without a signature bounces nothing (field D2)",
        arguments: [.signed, .hashedDenial(iterations: 3_000)] as [LabZone.Condition])
    func strippedDomain(_ condition: LabZone.Condition) async throws {
        let forgeries = [15, 1, 28].map { ManInTheMiddle.Forgery("deep.test", type: $0) }
        try await Self.between([Self.zone("deep.test", condition)], forgeries[0], forgeries[1], forgeries[2]) {
            let reason = await Self.noRoute(to: "deep.test", $0)
            guard case .failed(.dnssecInvalid(_, .bogus)) = reason else {
                Issue.record("\(String(describing: reason))")
                return
            }
        }
    }

    @Test(
        "A forged MX of a signed domain is bogus; only what a zone of over 2,500 iterations has below its own name may be forged (field D2)",
        arguments: [.signed, .hashedDenial(iterations: 2_500), .hashedDenial(iterations: 3_000)]
            as [LabZone.Condition])
    func forgedMX(_ condition: LabZone.Condition) async throws {
        // An MX record for mx.evil.test, and an address.
        let exchange: [UInt8] =
            [0, 10, 2] + Array("mx".utf8) + [4] + Array("evil".utf8) + [4] + Array("test".utf8) + [0]
        let names = ["deep.test", "child.deep.test", "sub.deep.test"] as [DomainName]
        var zone = Self.zone("deep.test", condition)
        zone.records += [.mx("mx.deep.test", owner: "sub.deep.test")]
        try await Self.between(
            [zone, Self.zone("child.deep.test")], .init("deep.test", type: 15, data: exchange),
            .init("mx.deep.test", type: 1, data: [198, 51, 100, 66])
        ) { resolver in
            var believed: [DomainName] = []
            for name in names {
                switch await resolver.answer(to: .init(name, .mx)) {
                case .failed(.bogus): ()
                case .found(_, .insecure, _): believed.append(name)
                case let other: Issue.record("\(name): \(other)")
                }
            }
            // A host of another domain's MX, as a secure MX record elsewhere may name it.
            if case .found = await resolver.answer(to: .init("mx.deep.test", .a)) { believed.append("mx.deep.test") }
            #expect(
                believed == (condition == .hashedDenial(iterations: 3_000) ? ["sub.deep.test", "mx.deep.test"] : []))
        }
    }

    @Test("A domain that an unsigned zone, or one that opts out, really lacks bounces at once (field D2)")
    func missingDomains() async throws {
        let zones = [
            LabZone("plain.test", .unsigned, [.a("host.plain.test", "192.0.2.2")]),
            LabZone("open.test", .hashedDenial(iterations: 0, optOut: true), [.a("host.open.test", "192.0.2.2")]),
            LabZone("closed.test", .signed, [.a("host.closed.test", "192.0.2.2")]),
        ]
        try await LabInternet.withInternet(zones) { internet in
            let resolver = try await LabInternet.resolver(internet)
            for (name, state) in [("plain", .insecure), ("open", .insecure), ("closed", .secure)]
                as [(String, DNSSECState)]
            {
                let domain = DomainName("misspelt.\(name).test")
                #expect(await Self.noRoute(to: domain, resolver) == .noSuchDomain(.nameError, state))
            }
            // libunbound answers these by itself (RFC 6761).
            for name in ["misspelt.invalid", "invalid", "misspelt.onion"] as [DomainName] {
                let reason = await Self.noRoute(to: name, resolver)
                guard case .noSuchDomain = reason else {
                    Issue.record("\(name): \(String(describing: reason))")
                    continue
                }
            }
            await resolver.shutdown()
        }
    }

    @Test(
        "What a zone denies by 200 or 2,500 iterations is computed, and so proven (field D2)", arguments: [200, 2_500])
    func computed(_ iterations: Int) async throws {
        let zone = Self.zone("deep.test", .hashedDenial(iterations: UInt16(iterations)))
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            #expect(await resolver.answer(to: .init("none.deep.test", .a)) == .absent(.nameError, .secure))
            #expect(await resolver.answer(to: .init("mx.deep.test", .ds)) == .absent(.noData, .secure))
            await resolver.shutdown()
        }
    }

    @Test(
        "dane-rules 2: TLSA that really stands in an unsigned zone is no DANE, and no failure (field D2)",
        arguments: [.signed, .hashedDenial(iterations: 10), .hashedDenial(iterations: 10, optOut: true)]
            as [LabZone.Condition])
    func unsignedSubzone(_ condition: LabZone.Condition) async throws {
        let records: [LabRecord] = [.tlsa("mx.alpha.test", 3, 1, 1, Array(0..<32))]
        let zones = [
            LabZone("alpha.test", condition, [.mx("mx.alpha.test"), .a("mx.alpha.test", "192.0.2.1")]),
            LabZone("_tcp.mx.alpha.test", .unsigned, records),
        ]
        try await LabInternet.withInternet(zones) { internet in
            let resolver = try await LabInternet.resolver(internet)
            let hosts = await Self.hosts(of: "alpha.test", resolver)
            #expect(hosts.map(\.requirement) == [.opportunistic], "\(hosts)")
            #expect(hosts.map(\.states) == [HostStates(mx: .secure, address: .secure, tlsa: .insecure)])
            await resolver.shutdown()
        }
    }

    @Test("dane-rules 2: a zone whose denials opt out has no DANE where it has no TLSA, and no failure (field D2)")
    func optOut() async throws {
        let records: [LabRecord] = [.mx("mx.open.test"), .a("mx.open.test", "192.0.2.1")]
        let zone = LabZone("open.test", .hashedDenial(iterations: 0, optOut: true), records)
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            #expect(
                await resolver.answer(to: .init("_25._tcp.mx.open.test", .tlsa)) == .absent(.nameError, .insecure))
            let hosts = await Self.hosts(of: "open.test", resolver)
            #expect(hosts.map(\.requirement) == [.opportunistic], "\(hosts)")
            await resolver.shutdown()
        }
    }
}
