import DNSModel
import LabDNS
import LabSupport
import MailModel
import Synchronization
import TestLiterals
import Testing

@testable import SecureResolver

/// libunbound 1.17.1 as Debian 12 has it (up to deb12u4) dies of this zone. When a later one does not, the first test
/// fails. By then it is to be kept as a proof that the zone does no harm.
@Suite("A zone that crashes libunbound", WithLabInternet(), .timeLimit(.minutes(3)))
struct CrashingZoneTests {
    /// The zone, and seven names below it that are empty.
    private static let levels = (0...7).map { count in
        ([HostileZone.name] + ["a", "b", "c", "d", "e", "f", "g"].prefix(count)).reversed().joined(separator: ".")
    }

    /// The shape of CVE-2026-33278: an address without signature, seven empty names below a signed zone.
    ///
    /// For each of them the validator asks for DS, and gets a denial whose first eight NSEC3 records have eight salts.
    /// After as many hashes it rests for 50 ms and more. It keeps a copy of the denial with a pointer into the memory
    /// of a query that is over. Whatever else it looks up meanwhile overwrites that. Here this is the query by which it
    /// tells a zone which trust anchor it has (RFC 8145 §5.1). It never ends, since each name server has others without
    /// address.
    private static func script(_ records: HostileZone.Records) async throws -> ScriptedNameServer.Script {
        let denials = try await Self.denials(records)
        let key = records.key
        let delegations = Mutex(0)
        return { query, _ in
            if query.name.hasPrefix("_ta-") || query.labels.contains(where: { $0.hasPrefix("fan") }) {
                let count = delegations.withLock { count in
                    count += 1
                    return count
                }
                // Slowly, so that it lasts while the validator rests.
                return .later(
                    query.delegation(to: "fan\(count).\(HostileZone.name)"), after: .milliseconds(70))
            }
            return switch query.type {
            case WireRecord.Kind.dnskey where query.name == HostileZone.name: .message(query.reply(key))
            case WireRecord.Kind.a: .message(query.reply([.a(query.name)]))
            default: .message(query.reply(authority: denials[query.name] ?? []))
            }
        }
    }

    private static func denials(_ records: HostileZone.Records) async throws -> [String: [WireRecord]] {
        var salted = records.soa
        for number in 0..<8 as Range<UInt8> {
            let zeros = [UInt8](repeating: 0, count: 19)
            salted += try await records.signer.signed([
                .nsec3(HostileZone.name, hash: zeros + [number], next: zeros + [number + 1], salt: [number])
            ])
        }
        var denials: [String: [WireRecord]] = [:]
        for name in Self.levels {
            // One that fits: this name is there, has no DS record, and is no delegation.
            var right = WireRecord.nsec3(
                HostileZone.name, hash: [], next: [UInt8](repeating: 255, count: 20), salt: [255],
                types: [WireRecord.Kind.txt])
            let hash = try await ChildProcess.run("knsec3hash", ["ff", "1", "0", name]).prefix(32)
            right.owner = "\(hash).\(HostileZone.name)"
            denials[name] = try await salted + records.signer.signed([right])
        }
        return denials
    }

    @Test(
        "A zone that crashes libunbound ends two processes by SIGSEGV and is quarantined; others are answered meanwhile (field 0)"
    )
    func crash() async throws {
        try await HostileZone.with({ $0.cacheEntries = 0 }, script: Self.script) { zone in
            let question = DNSQuestion(DomainName("host.\(Self.levels[7])"), .a)
            let isOver = Mutex(false)
            async let others = Self.askOthers(zone.resolver) { isOver.withLock { $0 } }
            let answer = await zone.resolver.answer(to: question)
            isOver.withLock { $0 = true }
            guard case .failed(.excessive(let reason)) = answer else {
                Issue.record("\(answer), \(zone.resolver.statistics.processes), \(zone.server.questions()) questions")
                return
            }
            // A sanitizer takes the signal, and ends the process in its own way.
            #expect(ChildSandbox.isSanitized || reason.contains("ended by signal 11"), "\(reason)")
            // Who asked is told first.
            while zone.resolver.statistics.processes.quarantines == 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(zone.resolver.statistics.processes.deaths == [.crash: 2])
            #expect(zone.resolver.statistics.processes.quarantines == 1)
            let (count, slowest) = await others
            #expect(count > 0)
            #expect(slowest < .seconds(5), "\(count) others")

            let asked = zone.server.questions { $0.name == question.name.text }
            guard case .failed(.excessive(let still)) = await zone.resolver.answer(to: question) else {
                Issue.record("\(await zone.resolver.answer(to: question))")
                return
            }
            #expect(still == "it ended our resolver, and is not asked for 60 minutes")
            #expect(zone.server.questions { $0.name == question.name.text } == asked, "nobody asks it again")
            #expect(zone.resolver.statistics.processes.deaths == [.crash: 2])
        }
    }

    /// Asks for names that no cache has until `isOver`. How many, and how long the slowest took.
    private static func askOthers(
        _ resolver: SecureResolver, until isOver: @Sendable () -> Bool
    ) async -> (Int, Duration) {
        var (count, slowest) = (0, Duration.zero)
        while !isOver() {
            let name: DomainName = "other\(count).alpha.test"
            let begun = ContinuousClock.now
            let answer = await resolver.answer(to: .init(name, .a))
            #expect(answer == .absent(.nameError, .secure), "\(count)")
            slowest = max(slowest, begun.duration(to: .now))
            count += 1
        }
        return (count, slowest)
    }
}

extension DNSQuery {
    /// A delegation of the name to eight name servers below another name, all without addresses.
    func delegation(to names: String) -> [UInt8] {
        let servers = (0..<8).map { WireRecord.name(self.name, WireRecord.Kind.ns, "ns\($0).\(names)") }
        return self.reply(authority: servers, flags: [])
    }
}
