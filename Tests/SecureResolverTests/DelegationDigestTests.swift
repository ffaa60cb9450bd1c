import DNSModel
import LabDNS
import MailModel
import SecureResolver
import TestLiterals
import Testing

/// Which digests of DS records count (RFC 4509 §3, RFC 6605 §2).
@Suite("DS records by several digests", .timeLimit(.minutes(3)))
struct DelegationDigestTests {
    private enum Verdict { case secure, bogus, other }

    private static func verdict(_ right: [UInt8], _ wrong: [UInt8]) async throws -> Verdict {
        let zone = LabZone(
            "alpha.test", .digests(right: right, wrong: wrong),
            [.tlsa("mx.alpha.test", 3, 1, 1, Array(0..<32))])
        var verdict = Verdict.other
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            switch await resolver.answer(to: .init("_25._tcp.mx.alpha.test", .tlsa)) {
            case .found(_, .secure, _): verdict = .secure
            case .failed(.bogus): verdict = .bogus
            case let other: Issue.record("\(other)")
            }
            await resolver.shutdown()
        }
        return verdict
    }

    @Test("A right SHA-1 digest does not count beside a wrong SHA-256 one (RFC 4509 §3) (field D3)")
    func weakerIsIgnored() async throws {
        #expect(try await Self.verdict([1], [2]) == .bogus)
        #expect(try await Self.verdict([1, 2], [4]) == .bogus)
    }

    @Test("The strongest digest alone decides, and SHA-1 does where it stands alone (field D3)")
    func strongestDecides() async throws {
        #expect(try await Self.verdict([2], [1]) == .secure)
        #expect(try await Self.verdict([1, 2, 4], []) == .secure)
        #expect(try await Self.verdict([1], []) == .secure)
        #expect(try await Self.verdict([2], [2]) == .secure)
    }

    @Test(
        "A zone whose DS records name an algorithm by which it does not sign is bogus, and the reason says so (field D3)",
        arguments: [8, 15] as [UInt8])
    func algorithmRollover(_ algorithm: UInt8) async throws {
        let zone = LabZone(
            "alpha.test", .algorithmRollover(to: algorithm), [.tlsa("mx.alpha.test", 3, 1, 1, Array(0..<32))])
        try await LabInternet.withInternet([zone]) { internet in
            let resolver = try await LabInternet.resolver(internet)
            let answer = await resolver.answer(to: .init("_25._tcp.mx.alpha.test", .tlsa))
            guard case .failed(.bogus(let reason)) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(reason.contains("key alpha.test. while building chain of trust"), "\(reason)")
            await resolver.shutdown()
        }
    }
}
