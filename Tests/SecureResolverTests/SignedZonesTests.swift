import DNSModel
import Foundation
import LabDNS
import MailModel
import OperatingSystem
import SecureResolver
import TestLiterals
import Testing

@Suite("Zones signed by Knot, good and broken", WithLabInternet(), .timeLimit(.minutes(3)))
struct SignedZonesTests {
    private func address(_ text: String) throws -> DNSRecord { .address(try #require(IPAddress(text))) }

    @Test("Each verdict is told apart: secure, insecure, bogus, absent, failed")
    func verdicts() async throws {
        let resolver = try await LabInternet.resolver()
        #expect(
            await resolver.answer(to: .init("mx.alpha.test", .a)) == .found([try self.address("192.0.2.1")], .secure))
        #expect(
            await resolver.answer(to: .init("mx.alpha.test", .aaaa))
                == .found([try self.address("2001:db8::1")], .secure))
        #expect(
            await resolver.answer(to: .init("host.plain.test", .a))
                == .found([try self.address("192.0.2.2")], .insecure))
        #expect(await resolver.answer(to: .init("mx.alpha.test", .mx)) == .absent(.noData, .secure))
        #expect(await resolver.answer(to: .init("none.alpha.test", .a)) == .absent(.nameError, .secure))
        #expect(await resolver.answer(to: .init("host.plain.test", .mx)) == .absent(.noData, .insecure))
        #expect(await resolver.answer(to: .init("none.plain.test", .a)) == .absent(.nameError, .insecure))
        #expect(await resolver.answer(to: .init("none.test", .a)) == .absent(.nameError, .secure))
        await resolver.shutdown()
    }

    @Test(
        "A zone that fails validation is bogus, never insecure or absent (RFC 7672 §2.1.2)",
        arguments: ["forged.test", "expired.test"])
    func bogus(_ zone: String) async throws {
        let resolver = try await LabInternet.resolver()
        let name = try #require(DomainName(zone))
        for type in [DNSQuestion.RecordType.a, .mx, .tlsa] {
            guard case .failed(.bogus(let reason)) = await resolver.answer(to: .init(name, type)) else {
                Issue.record("\(type) of \(zone) is not bogus")
                continue
            }
            #expect(!reason.isEmpty)
        }
        #expect(await resolver.selfTest() == .validating)
        await resolver.shutdown()
    }

    @Test("SERVFAIL is a failure, never absence (RFC 7672 §2.1.2)")
    func serverFailure() async throws {
        let resolver = try await LabInternet.resolver()
        let answer = await resolver.answer(to: .init("broken.test", .mx))
        guard case .failed = answer else {
            Issue.record("\(answer)")
            return
        }
        await resolver.shutdown()
    }

    @Test("MX and TLSA records arrive whole, and the null MX as none (RFC 7505)")
    func records() async throws {
        let resolver = try await LabInternet.resolver()
        guard case .found(let hosts, .secure, []) = await resolver.answer(to: .init("alpha.test", .mx)) else {
            Issue.record("no secure MX")
            return
        }
        #expect(
            Set(hosts) == [
                .mx(preference: 10, exchange: "mx.alpha.test"), .mx(preference: 20, exchange: "mx2.alpha.test"),
            ])
        let record = TLSARecord(usage: .daneEE, selector: .spki, matchingType: .sha256, associationData: Array(0..<32))
        #expect(await resolver.answer(to: .init("_25._tcp.mx.alpha.test", .tlsa)) == .found([.tlsa(record)], .secure))
        #expect(
            await resolver.answer(to: .init("silent.alpha.test", .mx))
                == .found([.mx(preference: 0, exchange: nil)], .secure))
        await resolver.shutdown()
    }

    @Test("Aliases come in the order they were followed; the CNAME itself has its own state (RFC 7672 §2.2.2)")
    func aliases() async throws {
        let resolver = try await LabInternet.resolver()
        #expect(
            await resolver.answer(to: .init("one.alpha.test", .a))
                == .found([try self.address("192.0.2.1")], .secure, aliases: ["two.alpha.test", "mx.alpha.test"]))
        // The chain leaves the signed part of the tree, so the whole is insecure, but each alias of it is secure.
        #expect(
            await resolver.answer(to: .init("leaving.alpha.test", .a))
                == .found(
                    [try self.address("192.0.2.2")], .insecure, aliases: ["inside.alpha.test", "host.plain.test"]))
        #expect(
            await resolver.answer(to: .init("leaving.alpha.test", .cname))
                == .found([.alias("inside.alpha.test")], .secure))
        #expect(
            await resolver.answer(to: .init("inside.alpha.test", .cname))
                == .found([.alias("host.plain.test")], .secure))
        #expect(await resolver.answer(to: .init("host.plain.test", .cname)) == .absent(.noData, .insecure))
        #expect(
            await resolver.answer(to: .init("dangling.alpha.test", .a))
                == .absent(.nameError, .secure, aliases: ["nothing.alpha.test"]))
        #expect(
            await resolver.answer(to: .init("mx.old.alpha.test", .a))
                == .found([try self.address("192.0.2.1")], .secure, aliases: ["mx.alpha.test"]))
        await resolver.shutdown()
    }

    @Test("Aliases in a loop are a failure with bounds, and 120 addresses an answer (dane-rules 12) (field C8)")
    func bounds() async throws {
        let resolver = try await LabInternet.resolver()
        guard case .failed = await resolver.answer(to: .init("loop.alpha.test", .a)) else {
            Issue.record("a loop gave an answer")
            return
        }
        guard case .found(let crowd, .secure, _) = await resolver.answer(to: .init("crowd.test", .a)) else {
            Issue.record("120 addresses are no answer")
            return
        }
        #expect(crowd.count == 120)
        await resolver.shutdown()
    }

    @Test("Fifty who ask the same at once cause one query, and later ones none")
    func singleFlight() async throws {
        let resolver = try await LabInternet.resolver()
        let question = DNSQuestion("mx.alpha.test", .a)
        let answers = await withTaskGroup(of: DNSAnswer.self) { group in
            for _ in 0..<50 { group.addTask { await resolver.answer(to: question) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers).count == 1)
        #expect(answers.count == 50)
        _ = await resolver.answer(to: question)
        let statistics = resolver.statistics
        #expect(statistics.queries == [.init(type: .a, security: .secure, rcode: "NOERROR"): 1])
        #expect(statistics.cacheMisses == 1)
        #expect(statistics.cacheHits + statistics.cacheJoins == 50)
        #expect(statistics.cacheEntries == 1)
        #expect(statistics.queriesUnderWay == 0)
        await resolver.shutdown()
    }

    @Test("An answer lives no longer than its signatures, whatever its TTL (hostile-input 26)")
    func signatureExpiry() async throws {
        let clock = ManualClock(.systemNow)
        let resolver = try await LabInternet.resolver(now: clock.now)
        let question = DNSQuestion("ending.test", .a)
        let found = DNSAnswer.found([try self.address("192.0.2.5")], .secure)
        #expect(await resolver.answer(to: question) == found)
        clock.advance(by: .seconds(500))
        #expect(await resolver.answer(to: question) == found)
        #expect(resolver.statistics.cacheHits == 1)
        // The TTL is a day, but the signatures end ten minutes after the start.
        clock.advance(by: .seconds(200))
        guard case .failed(.bogus) = await resolver.answer(to: question) else {
            Issue.record("a stale answer passed as secure")
            return
        }
        #expect(resolver.statistics.cacheMisses == 2)
        await resolver.shutdown()
    }

    @Test("With a wrong anchor we do not validate, and say so of ourselves (dane-rules 38)")
    func wrongAnchor() async throws {
        let anchor = ". DS 20326 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
        let resolver = try await LabInternet.resolver(anchor: .record(anchor))
        guard case .notValidating = await resolver.selfTest() else {
            Issue.record("\(await resolver.selfTest())")
            return
        }
        guard case .failed = await resolver.answer(to: .init("mx.alpha.test", .a)) else {
            Issue.record("an answer without a working anchor")
            return
        }
        await resolver.shutdown()
    }

    @Test("A domain is not validated until its day, and validated again from then on, with no restart (field D9)")
    func unvalidatedDomain() async throws {
        let clock = ManualClock(.systemNow)
        let end = clock.now() + .seconds(2)
        let resolver = try await LabInternet.resolver(
            LabInternet.current,
            { $0.unvalidatedDomains = [.init("alpha.test", until: end), .init("forged.test", until: end)] },
            now: clock.now)
        let address = DNSQuestion("mx.alpha.test", .a)
        let found = [try self.address("192.0.2.1")]
        #expect(await resolver.answer(to: address) == .found(found, .insecure))
        #expect(
            await resolver.answer(to: .init("forged.test", .a)) == .found([try self.address("192.0.2.3")], .insecure))
        #expect(await resolver.answer(to: .init("alpha.test", .ds)) == .absent(.unsignedDelegation, .insecure))
        #expect(await resolver.answer(to: .init("ending.test", .a)) == .found([try self.address("192.0.2.5")], .secure))
        #expect(resolver.unvalidatedDomains.count == 2)
        clock.advance(by: .seconds(3))
        #expect(await resolver.answer(to: address) == .found(found, .secure))
        guard case .failed(.bogus) = await resolver.answer(to: .init("forged.test", .a)) else {
            Issue.record("a forged zone is believed longer than it was to be")
            return
        }
        #expect(resolver.unvalidatedDomains.isEmpty)
        await resolver.shutdown()
    }

    @Test("Below no anchor a name is indeterminate, which is our failure and not insecurity (RFC 4035 §4.3)")
    func indeterminate() async throws {
        let anchor = "alpha.test. DS 1 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
        let resolver = try await LabInternet.resolver(anchor: .record(anchor))
        #expect(
            await resolver.answer(to: .init("host.plain.test", .a))
                == .failed(.resolverUnavailable("no trust anchor above host.plain.test")))
        await resolver.shutdown()
    }

    @Test("Stub zones are asked at their own servers, the root's among them")
    func stubZones() async throws {
        let port = try #require(LabInternet.current).port
        let resolver = try await LabInternet.resolver { settings in
            let servers = settings.forwarders
            settings.forwarders = []
            settings.stubZones = [nil, "test", "alpha.test"].map { .init($0, servers: servers) }
        }
        #expect(resolver.startupDescription.contains("stub zone alpha.test. at 127.0.0.1@\(port)"))
        #expect(
            await resolver.answer(to: .init("mx.alpha.test", .a)) == .found([try self.address("192.0.2.1")], .secure))
        #expect(await resolver.selfTest() == .validating)
        await resolver.shutdown()
    }

    @Test("The line on start names the anchor's key and whom it asks")
    func startupLine() async throws {
        let internet = try #require(LabInternet.current)
        let resolver = try await LabInternet.resolver()
        let anchor = try String(contentsOf: internet.trustAnchorFile, encoding: .utf8)
        let tag = try #require(anchor.split(separator: " ").dropFirst(2).first)
        #expect(resolver.startupDescription.contains("(keys \(tag)"))
        #expect(resolver.startupDescription.contains("127.0.0.1@\(internet.port)"))
        await resolver.shutdown()
    }
}
