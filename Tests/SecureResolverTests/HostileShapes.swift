import DNSModel
import LabDNS
import MailModel
import TestLiterals
import Testing

/// Answers that are made to keep a resolver busy, and what they may cost.
struct HostileShape: Sendable, CustomTestStringConvertible {
    /// What it is.
    let testDescription: String
    /// Questions that reach the zone's server for one look-up.
    let questions: Int
    /// Bytes that the processes of the resolver may have more than before.
    var memory = 32 << 20
    /// What they may compute.
    var processorTime = Duration.seconds(2)
    /// What is looked up.
    var question = DNSQuestion("host.evil.test", .a)
    /// Whether the look-up may end so.
    let ends: @Sendable (DNSAnswer) -> Bool
    let script: @Sendable (HostileZone.Records) async throws -> ScriptedNameServer.Script
}

extension HostileShape {
    static let all =
        [
            endlessAliases, aliasLoop, aliasesAtOnce, manySignatures, manyIterations, manySalts, fannedOut, hugeSet,
            truncatedAndClosed, truncatedAndSilent, garbage, wrongIdentifiers, halfMessages, selfReferring, trickling,
        ]

    private static func passed(_ text: String) -> @Sendable (DNSAnswer) -> Bool {
        { answer in
            if case .failed(.excessive(let reason)) = answer { reason == text } else { false }
        }
    }

    /// A failure of the server, told within a look-up's time or at its end.
    private static let failed: @Sendable (DNSAnswer) -> Bool = { answer in
        answer == .failed(.serverFailure) || answer == .failed(.timeout)
    }

    /// A script that answers for the key as it must, and else as `body` says.
    private static func with(
        _ body: @escaping ScriptedNameServer.Script
    ) -> @Sendable (HostileZone.Records) async throws -> ScriptedNameServer.Script {
        { records in
            let key = records.key
            return { query, transport in
                let isForKey = query.type == WireRecord.Kind.dnskey && query.name == HostileZone.name
                return isForKey ? .message(query.reply(key)) : body(query, transport)
            }
        }
    }

    // MARK: Aliases

    private static let endlessAliases = HostileShape(
        testDescription: "each name is an alias for one more", questions: 40,
        ends: passed("it has more than 11 aliases"),
        script: with { query, _ in
            .message(query.reply([.name(query.name, WireRecord.Kind.cname, "x\(query.name.count).\(query.name)")]))
        })

    private static let aliasLoop = HostileShape(
        testDescription: "two aliases for each other, and an alias of all below for itself", questions: 24,
        ends: passed("it has more than 11 aliases"),
        script: with { query, _ in
            let target = query.name.hasPrefix("host") ? "tsoh.evil.test" : "host.evil.test"
            return .message(
                query.reply([
                    .name("x.evil.test", WireRecord.Kind.dname, "x.x.evil.test"),
                    .name(query.name, WireRecord.Kind.cname, target),
                ]))
        })

    private static let aliasesAtOnce = HostileShape(
        testDescription: "four hundred aliases in one answer", questions: 24,
        ends: passed("it has more than 11 aliases"),
        script: with { query, _ in
            let aliases = (0..<400).map { number in
                WireRecord.name(
                    number == 0 ? query.name : "c\(number).evil.test", WireRecord.Kind.cname,
                    "c\(number + 1).evil.test")
            }
            return .message(query.reply(aliases + [.a("c400.evil.test")]))
        })

    // MARK: Validation

    private static let manySignatures = HostileShape(
        testDescription: "four hundred signatures, none of which is right", questions: 30,
        ends: { answer in
            if case .failed(.bogus(let reason)) = answer {
                reason.contains("too many RRSIG validations")
            } else {
                false
            }
        },
        script: { records in
            let right = try await records.signer.signed([.a("host.evil.test")])
            let key = records.key
            let wrong = (0..<400).map { number -> WireRecord in
                var signature = right[1]
                for place in signature.data.count - 4..<signature.data.count {
                    signature.data[place] ^= UInt8(truncatingIfNeeded: number + 1)
                }
                signature.data[signature.data.count - 6] ^= UInt8(truncatingIfNeeded: number >> 8)
                return signature
            }
            return { query, _ in
                query.type == WireRecord.Kind.dnskey
                    ? .message(query.reply(key)) : .message(query.reply([right[0]] + wrong))
            }
        })

    private static let manyIterations = HostileShape(
        testDescription: "a denial by 65,535 iterations", questions: 20, processorTime: .seconds(1),
        ends: { answer in
            answer == .failed(.bogus("NSEC3 with 65535 iterations, more than 2500 (RFC 5155)"))
        },
        script: { try await Self.denial($0, salts: 1, iterations: 65_535) })

    private static let manySalts = HostileShape(
        testDescription: "a denial by a hundred salts", questions: 20,
        ends: passed("its signatures or denials take more than 16 rounds of eight to validate"),
        script: { try await Self.denial($0, salts: 100, iterations: 2_500) })

    private static func denial(
        _ records: HostileZone.Records, salts: UInt8, iterations: UInt16
    ) async throws -> ScriptedNameServer.Script {
        var denial = records.soa
        for number in 0..<salts {
            let zeros = [UInt8](repeating: 0, count: 18)
            denial += try await records.signer.signed([
                .nsec3(
                    HostileZone.name, hash: zeros + [0, number], next: zeros + [1, number], salt: [number],
                    iterations: iterations)
            ])
        }
        let (key, all) = (records.key, denial)
        return { query, _ in
            query.type == WireRecord.Kind.dnskey && query.name == HostileZone.name
                ? .message(query.reply(key)) : .message(query.reply(authority: all))
        }
    }

    // MARK: Sizes

    private static let hugeSet = HostileShape(
        testDescription: "nine hundred TLSA records, 60 KB by TCP", questions: 20,
        question: DNSQuestion("_25._tcp.mx.evil.test", .tlsa),
        ends: { answer in answer == .failed(.malformed("900 records, more than 100")) },
        script: { records in
            let name = "_25._tcp.mx.evil.test"
            let set = try await records.signer.signed(
                (0..<900).map { number in
                    WireRecord(
                        name, WireRecord.Kind.tlsa,
                        [3, 1, 1, UInt8(number >> 8), UInt8(number & 0xFF)] + [UInt8](repeating: 7, count: 30))
                })
            let key = records.key
            return { query, _ in
                query.type == WireRecord.Kind.dnskey
                    ? .message(query.reply(key)) : .message(query.reply(set))
            }
        })

    // MARK: Delegations

    private static let fannedOut = HostileShape(
        testDescription: "each name server has others without address (NXNSAttack)", questions: 120,
        ends: passed("more than 5 of its name servers do not exist"),
        script: with { query, _ in .message(query.delegation(to: query.name)) })

    private static let selfReferring = HostileShape(
        testDescription: "a delegation to itself", questions: 30,
        ends: { answer in if case .failed(.bogus) = answer { true } else { false } },
        script: with { query, _ in
            let server = WireRecord.name(HostileZone.name, WireRecord.Kind.ns, "ns.evil.test")
            return .message(query.reply(authority: [server], flags: []))
        })

    // MARK: Transports

    private static func truncated(_ reply: ScriptedNameServer.Reply) -> ScriptedNameServer.Script {
        { query, transport in
            transport == .udp ? .message(query.reply(flags: [.authoritative, .truncated])) : reply
        }
    }

    private static let truncatedAndClosed = HostileShape(
        testDescription: "truncated for ever, and TCP is closed", questions: 40, ends: failed,
        script: with(truncated(.close)))

    private static let truncatedAndSilent = HostileShape(
        testDescription: "truncated for ever, and TCP is silent", questions: 40, ends: failed,
        script: with(truncated(.nothing)))

    private static let trickling = HostileShape(
        testDescription: "a byte every 200 ms by TCP", questions: 40, ends: failed,
        script: with { query, transport in
            transport == .udp
                ? .message(query.reply(flags: [.authoritative, .truncated]))
                : .trickle(query.reply([.a(query.name)]), every: .milliseconds(200))
        })

    private static let garbage = HostileShape(
        testDescription: "bytes that are no message", questions: 40, ends: failed,
        script: { _ in { _, _ in .raw([UInt8](repeating: 0xC0, count: 600)) } })

    private static let wrongIdentifiers = HostileShape(
        testDescription: "messages for other questions", questions: 40, ends: failed,
        script: { _ in
            { query, _ in
                var reply = query.reply([.a(query.name)])
                reply[0] ^= 0xFF
                return .message(reply)
            }
        })

    private static let halfMessages = HostileShape(
        testDescription: "half a message by TCP, and the end", questions: 40, ends: failed,
        script: with { query, transport in
            guard transport == .tcp else { return .message(query.reply(flags: [.authoritative, .truncated])) }
            let reply = query.reply([.a(query.name)])
            return .raw([UInt8(reply.count >> 8), UInt8(reply.count & 0xFF)] + reply.prefix(reply.count / 2))
        })
}
