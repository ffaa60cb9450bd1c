import DNSModel
import LabDNS
import MailModel
import OperatingSystem
import SecureResolver
import TestLiterals
import Testing

@Suite("A name server that is gone or silent", .timeLimit(.minutes(3)))
struct SilentServerTests {
    private let zones = [LabZone("alpha.test", [.a("alpha.test", "192.0.2.1"), .mx("alpha.test")])]

    @Test("A server that is down means failure, never absence, and its return is noticed (hostile-input 25)")
    func serverDown() async throws {
        try await LabInternet.withInternet(self.zones) { internet in
            let resolver = try await LabInternet.resolver(internet) { $0.queryDeadline = .seconds(1) }
            await internet.stopServer()
            await withTaskGroup(of: Void.self) { group in
                for type in DNSQuestion.RecordType.allCases {
                    group.addTask {
                        guard case .failed = await resolver.answer(to: .init("alpha.test", type)) else {
                            Issue.record("\(type) from a dead server")
                            return
                        }
                    }
                }
            }
            guard case .unreachable = await resolver.selfTest() else {
                Issue.record("a dead server is not a validator's fault")
                return
            }
            await resolver.shutdown()
            try await internet.startServer()
            let again = try await LabInternet.resolver(internet)
            #expect(await again.selfTest() == .validating)
            await again.shutdown()
        }
    }

    @Test("Silence ends by our own deadline, cancellation and shutdown end at once")
    func silence() async throws {
        try await LabInternet.withInternet(self.zones) { internet in
            let resolver = try await LabInternet.resolver(internet) { $0.queryDeadline = .milliseconds(300) }
            await internet.pauseServer()
            #expect(await resolver.answer(to: .init("alpha.test", .mx)) == .failed(.timeout))
            #expect(resolver.statistics.queries == [.init(type: .mx, security: .failed, rcode: "timeout"): 1])
            await resolver.shutdown()

            let patient = try await LabInternet.resolver(internet)
            let begun = ContinuousClock.now
            async let waiting = patient.answer(to: .init("alpha.test", .mx))
            let withdrawn = Task { await patient.answer(to: .init("alpha.test", .mx)) }
            try await Task.sleep(for: .milliseconds(50))
            withdrawn.cancel()
            #expect(await withdrawn.value == .failed(.resolverUnavailable("the question was withdrawn")))
            await patient.shutdown()
            #expect(await waiting == .failed(.resolverUnavailable("the resolver is shut down")))
            #expect(
                await patient.answer(to: .init("alpha.test", .a))
                    == .failed(.resolverUnavailable("the resolver is shut down")))
            #expect(begun.duration(to: .now) < .seconds(10))
            await internet.resumeServer()
        }
    }

    @Test("A self-test that waits for a silent server ends at once when it is cancelled (field D8)")
    func selfTestCancelled() async throws {
        try await LabInternet.withInternet(self.zones) { internet in
            let resolver = try await LabInternet.resolver(internet) { $0.queryDeadline = .seconds(60) }
            await internet.pauseServer()
            let begun = ContinuousClock.now
            let test = Task { await resolver.selfTest() }
            try await Task.sleep(for: .milliseconds(50))
            test.cancel()
            #expect(await test.value != .validating)
            // Whoever waits for an answer hears that there will be none, before the resolver is gone.
            async let waiting = resolver.answer(to: .init("alpha.test", .mx))
            while resolver.statistics.queriesUnderWay == 0 { try await Task.sleep(for: .milliseconds(5)) }
            resolver.refuse()
            #expect(await waiting == .failed(.resolverUnavailable("the resolver is shut down")))
            #expect(begun.duration(to: .now) < .seconds(20))
            await resolver.shutdown()
            await internet.resumeServer()
        }
    }

    @Test("More than the allowed number of queries at once fail at once as our fault")
    func tooMany() async throws {
        try await LabInternet.withInternet(self.zones) { internet in
            let resolver = try await LabInternet.resolver(internet) { $0.concurrentQueries = 1 }
            await internet.pauseServer()
            async let first = resolver.answer(to: .init("alpha.test", .mx))
            while resolver.statistics.queriesUnderWay == 0 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(
                await resolver.answer(to: .init("alpha.test", .a))
                    == .failed(.resolverUnavailable("1 queries are under way")))
            await resolver.shutdown()
            _ = await first
            await internet.resumeServer()
        }
    }

    @Test("A record published while the zone is served is seen once the negative TTL is over (hostile-input 27)")
    func publication() async throws {
        let zone = LabZone("late.test", .signed, [.a("late.test", "192.0.2.1")], negativeTTL: 1)
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            let question = DNSQuestion("_25._tcp.late.test", .tlsa)
            #expect(await resolver.answer(to: question) == .absent(.nameError, .secure))
            try await internet.update("late.test", zone.records + [.tlsa("late.test", 3, 1, 1, Array(0..<32))])
            try await Task.sleep(for: .seconds(2.1))
            guard case .found(_, .secure, _) = await resolver.answer(to: question) else {
                Issue.record("\(await resolver.answer(to: question))")
                return
            }
            await resolver.shutdown()
        }
    }
}

@Suite("Thousands of name servers that are silent", .timeLimit(.minutes(3)))
struct DeadDomainTests {
    @Test("Beside 1,200 silent name servers, some given up long ago, a healthy name is looked up in time (field A4)")
    func healthyBeside() async throws {
        _ = FileDescriptorLimit.raise()
        let silent = try SilentNameServers(1_200, below: "dead.test")
        let hosts = (0..<10).map { "host\($0).alpha.test" }
        let zone = LabZone("alpha.test", hosts.map { .a($0, "192.0.2.2") })
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet) { settings in
                settings.stubZones = silent.stubZones
                // Given up while libunbound still looks for them, which it does for some twelve seconds.
                settings.queryDeadline = .seconds(6)
            }
            await withTaskGroup { group in
                for zone in silent.stubZones {
                    group.addTask { _ = await resolver.answer(to: .init(zone.zone!, .mx)) }
                }
                for round in 0..<5 {
                    try? await Task.sleep(for: .seconds(2))
                    for host in hosts.dropFirst(round * 2).prefix(2) {
                        guard case .found(_, .secure, _) = await resolver.answer(to: .init(DomainName(host)!, .a))
                        else {
                            Issue.record("\(host): \(await resolver.answer(to: .init(DomainName(host)!, .a)))")
                            continue
                        }
                    }
                }
            }
            #expect(resolver.statistics.processes.deaths.isEmpty)
            await resolver.shutdown()
        }
    }

    @Test("A look-up that is not answered in time while too many are under way is ours (field A4)")
    func saturated() async throws {
        // Each in a domain of its own, or else one domain would have as many.
        let silent = try (0..<20).map { try SilentNameServers(1, below: "dead\($0).test") }
        let zones = silent.flatMap(\.stubZones)
        try await LabInternet.withInternet([LabZone("alpha.test", [])]) { internet in
            let resolver = try await LabInternet.resolver(internet) { settings in
                settings.stubZones = zones
                (settings.queryDeadline, settings.concurrentQueries) = (.seconds(1), 20)
            }
            let answers = await withTaskGroup { group in
                for zone in zones { group.addTask { await resolver.answer(to: .init(zone.zone!, .mx)) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let ours = answers.count { if case .failed(.resolverUnavailable) = $0 { true } else { false } }
            let theirs = answers.count { $0 == .failed(.timeout) }
            #expect(ours >= 5 && ours + theirs == 20, "\(ours) ours, \(theirs) theirs")
            #expect(
                await resolver.answer(to: .init(zones[0].zone!, .a)) == .failed(.timeout),
                "alone it is theirs")
            await resolver.shutdown()
        }
    }
}
