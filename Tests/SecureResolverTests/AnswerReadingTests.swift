import DNSModel
import MailModel
import TestLiterals
import Testing

@testable import SecureResolver

/// A response packet as a test needs it, uncompressed.
private struct Packet {
    var bytes: [UInt8]

    init(answers: [[UInt8]] = [], authority: [[UInt8]] = []) {
        let counts = [UInt8(0), 0, 0, UInt8(answers.count), 0, UInt8(authority.count), 0, 0]
        self.bytes = [0, 0, 0x81, 0xA0] + counts + (answers + authority).flatMap { $0 }
    }

    static func record(_ owner: DomainName, _ type: UInt16, ttl: UInt32 = 86_400, _ data: [UInt8]) -> [UInt8] {
        let ttlBytes = (0..<4).map { UInt8(truncatingIfNeeded: ttl >> (24 - 8 * $0)) }
        return WireName(owner).bytes + [UInt8(type >> 8), UInt8(type & 0xFF), 0, 1] + ttlBytes
            + [UInt8(data.count >> 8), UInt8(data.count & 0xFF)] + data
    }

    static func signature(_ owner: DomainName, ends: Timestamp) -> [UInt8] {
        let seconds = UInt32(truncatingIfNeeded: ends.microseconds / 1_000_000)
        let expiry = (0..<4).map { UInt8(truncatingIfNeeded: seconds >> (24 - 8 * $0)) }
        return Self.record(owner, 46, [0, 1, 13, 2, 0, 0, 0, 60] + expiry + [0, 0, 0, 0, 0, 1, 0])
    }

    /// The signature of a zone over an NSEC3 record.
    static func signature(over owner: DomainName, by zone: DomainName) -> [UInt8] {
        Self.record(owner, 46, [0, 50, 13, 2] + Array(repeating: 0, count: 14) + WireName(zone).bytes + [9, 9])
    }

    static func denial(_ owner: DomainName, iterations: UInt16) -> [UInt8] {
        Self.record(owner, 50, [1, 0, UInt8(iterations >> 8), UInt8(iterations & 0xFF), 0, 0])
    }

    static func soa(_ owner: DomainName, ttl: UInt32, minimum: UInt8) -> [UInt8] {
        Self.record(owner, 6, ttl: ttl, [0, 0] + Array(repeating: 0, count: 19) + [minimum])
    }
}

@Suite("What a raw answer means")
struct AnswerReadingTests {
    private let now = Timestamp(seconds: 1_800_000_000)
    private let reading = AnswerReading(
        maximumRecords: 2, maximumAliases: 2, anchors: TrustAnchorKey.keys(inZoneText: "test. DS 1 13 2 00"))
    private let question = DNSQuestion("a.test", .a)

    private func read(
        _ packet: Packet = Packet(), rcode: Int = 0, secure: Bool = false, bogus: String? = nil,
        _ question: DNSQuestion? = nil
    ) -> TimedAnswer {
        let raw = RawAnswer(rcode: rcode, isSecure: secure, bogusReason: bogus, packet: packet.bytes)
        return self.reading.read(raw, to: question ?? self.question, at: self.now)
    }

    @Test("A dead resolver's bits say insecure, yet it is a failure (RFC 7672 §2.1.2)")
    func classification() {
        #expect(self.read(rcode: 2).answer == .failed(.serverFailure))
        #expect(self.read(rcode: 5).answer == .failed(.refused))
        #expect(self.read(rcode: 4).answer == .failed(.unexpectedResponse(4)))
        #expect(self.read(rcode: 2, secure: true).answer == .failed(.serverFailure))
        #expect(self.read(rcode: 3, secure: true, bogus: "why").answer == .failed(.bogus("why")))
        #expect(self.read().answer == .absent(.noData, .insecure))
        #expect(self.read(rcode: 3, secure: true).answer == .absent(.nameError, .secure))
    }

    @Test("RRSIG ends in 5 s with TTL one day: kept for 5 s; ended: bogus (hostile-input 26)")
    func signatureLifetime() {
        let address = Packet.record("a.test", 1, [192, 0, 2, 1])
        func answer(ends: Duration) -> TimedAnswer {
            self.read(
                Packet(answers: [address, Packet.signature("a.test", ends: self.now + ends)]), secure: true)
        }
        #expect(answer(ends: .seconds(5)).lifetime == .seconds(5))
        #expect(answer(ends: .seconds(100_000)).lifetime == .seconds(86_400))
        guard case .failed(.bogus) = answer(ends: .zero).answer else {
            Issue.record("an ended signature passed")
            return
        }
    }

    @Test(
        "hostile-input 27: what rests on too many iterations of NSEC3 is bogus, not insecure; a short NSEC3 is harmless"
    )
    func iterations() {
        func answer(_ iterations: UInt16, secure: Bool = false) -> DNSAnswer {
            let fair = Packet.denial("fair.test", iterations: 0)
            return self.read(
                Packet(authority: [fair, Packet.denial("deep.test", iterations: iterations)]), secure: secure
            ).answer
        }
        #expect(answer(2_500) == .absent(.noData, .insecure))
        #expect(answer(2_501) == .failed(.bogus("NSEC3 with 2501 iterations, more than 2500 (RFC 5155)")))
        #expect(answer(.max) == .failed(.bogus("NSEC3 with 65535 iterations, more than 2500 (RFC 5155)")))
        // What libunbound did compute is proven.
        #expect(answer(2_501, secure: true) == .absent(.noData, .secure))
        let short = Packet(authority: [Packet.record("a.test", 50, [1, 0])])
        #expect(self.read(short).answer == .absent(.noData, .insecure))
    }

    /// The types in the form of NSEC and NSEC3, all below 64.
    private static func bitmap(_ types: [UInt8]) -> [UInt8] {
        var bits: [UInt8] = Array(repeating: 0, count: 8)
        for type in types { bits[Int(type / 8)] |= 0x80 >> (type % 8) }
        return [0, 8] + bits
    }

    private static func nsec3(
        of owner: DomainName = "hash.test", flags: UInt8 = 0, iterations: UInt8 = 0, _ types: [UInt8]
    ) -> [UInt8] {
        Packet.record(owner, 50, [1, flags, 0, iterations, 2, 9, 9, 3, 7, 7, 7] + Self.bitmap(types))
    }

    private func denial(
        of name: DomainName = "a.test", via alias: [UInt8]? = nil, _ authority: [[UInt8]], secure: Bool = true
    ) -> DNSAnswer {
        let packet = Packet(answers: alias.map { [$0] } ?? [], authority: authority)
        return self.read(packet, secure: secure, .init(name, .ds)).answer
    }

    @Test("A denial of DS proves an unsigned delegation where it shows NS, no SOA and no DS at the name (field D2)")
    func delegations() {
        let proven = DNSAnswer.absent(.unsignedDelegation, .secure)
        let unproven = DNSAnswer.absent(.noData, .secure)
        func nsec(_ types: [UInt8], owner: DomainName = "a.test") -> [[UInt8]] {
            [Packet.record(owner, 47, WireName("b.test").bytes + Self.bitmap(types))]
        }
        for (types, expected) in [
            ([2, 46, 47], proven), ([1, 46, 47], unproven), ([2, 6, 46], unproven), ([2, 43], unproven), ([], unproven),
        ] as [([UInt8], DNSAnswer)] {
            #expect(self.denial(nsec(types)) == expected, "NSEC \(types)")
            #expect(self.denial([Self.nsec3(types)]) == expected, "NSEC3 \(types)")
        }
        #expect(self.denial(nsec([2], owner: "b.test")) == unproven, "the NSEC of another name")
        #expect(self.denial([Self.nsec3([2]), Self.nsec3([1])]) == unproven, "which one is the name's own?")
        #expect(self.denial([]) == unproven)
        // Of no other type does a denial say so.
        #expect(self.read(Packet(authority: nsec([2])), secure: true).answer == unproven)
    }

    @Test("An insecure denial of DS proves one only where its zone opts out, by so many iterations at most (field D2)")
    func optOut() {
        let signature = Packet.signature(over: "hash.test", by: "test")
        let proof = [Self.nsec3(flags: 1, [1]), signature]
        #expect(self.denial(proof, secure: false) == .absent(.unsignedDelegation, .insecure))
        #expect(self.denial([Self.nsec3([2]), signature], secure: false) == .absent(.noData, .insecure))
        #expect(self.denial([], secure: false) == .absent(.noData, .insecure))
        let deep = Packet.record("hash.test", 50, [1, 1, 10, 0, 0, 0])
        #expect(
            self.denial([deep], secure: false)
                == .failed(.bogus("NSEC3 with 2560 iterations, more than 2500 (RFC 5155)")))
    }

    @Test(
        "The denial of an alias's target says nothing of a delegation at the alias, secure or not (field D2)",
        arguments: [
            Packet.record("a.test", 5, WireName("b.test").bytes), Packet.record("test", 39, WireName("b.test").bytes),
        ])
    func aliasedDenials(_ alias: [UInt8]) {
        #expect(self.denial(via: alias, [Self.nsec3([2])]) == .absent(.noData, .secure))
        #expect(
            self.denial(via: alias, [Packet.record("a.test", 47, WireName("b.test").bytes + Self.bitmap([2]))])
                == .absent(.noData, .secure))
        let optOut = [Self.nsec3(flags: 1, [1]), Packet.signature(over: "hash.test", by: "test")]
        #expect(self.denial(via: alias, optOut, secure: false) == .absent(.noData, .insecure))
    }

    @Test("Only a zone above a name denies DS there, and only with its signature it opts out (field D2)")
    func denialsOfOtherZones() {
        for zone in ["b.test", "a.test", "x.a.test"] as [DomainName] {
            let owner = zone.prefixed(by: "hash")!
            #expect(self.denial([Self.nsec3(of: owner, [2])]) == .absent(.noData, .secure), "\(zone)")
            let optOut = [Self.nsec3(of: owner, flags: 1, [1]), Packet.signature(over: owner, by: zone)]
            #expect(self.denial(optOut, secure: false) == .absent(.noData, .insecure), "\(zone)")
        }
        let unsigned = Self.nsec3(flags: 1, [1])
        let others = [
            Packet.signature(over: "hash.test", by: "b.test"), Packet.signature(over: "other.test", by: "test"),
            Packet.record("hash.test", 46, [0, 50]), Packet.signature("hash.test", ends: self.now),
        ]
        #expect(self.denial([unsigned], secure: false) == .absent(.noData, .insecure))
        for other in others { #expect(self.denial([unsigned, other], secure: false) == .absent(.noData, .insecure)) }
    }

    @Test("DS records are read, a short one is malformed, and an alias is no delegation (field D2)")
    func delegationSigners() {
        let question = DNSQuestion("a.test", .ds)
        let record = Packet.record("a.test", 43, [1, 2, 13, 4, 9, 9])
        #expect(
            self.read(Packet(answers: [record]), secure: true, question).answer
                == .found([.delegationSigner(algorithm: 13, digestType: 4)], .secure))
        let short = Packet.record("a.test", 43, [1, 2, 13, 4])
        #expect(
            self.read(Packet(answers: [short]), secure: true, question).answer
                == .failed(.malformed("a DS record of 4 bytes")))
        let alias = Packet.record("a.test", 5, WireName("b.test").bytes)
        let elsewhere = Packet.record("b.test", 43, [1, 2, 13, 4, 9, 9])
        #expect(
            self.read(Packet(answers: [alias, elsewhere]), secure: true, question).answer == .absent(.noData, .secure))
    }

    @Test("Above an anchor no delegation has anything to prove; beside it, and below, it has (field D2)")
    func aboveTrust() {
        let reading = AnswerReading(
            maximumRecords: 2, maximumAliases: 2, anchors: TrustAnchorKey.keys(inZoneText: "corp.test. DS 1 13 2 00"))
        func answer(_ name: DomainName) -> DNSAnswer {
            reading.read(RawAnswer(rcode: 2, isSecure: false, packet: []), to: .init(name, .ds), at: self.now).answer
        }
        for name in ["test", "corp.test"] as [DomainName] { #expect(answer(name) == .absent(.noData, .secure)) }
        for name in ["a.corp.test", "b.test"] as [DomainName] { #expect(answer(name) == .failed(.serverFailure)) }
    }

    @Test("What was not validated by the operator's word is believed until its end and no longer (field D9)")
    func unvalidated() {
        let exempt = UnvalidatedDomain("sub.test", until: self.now + .seconds(60))
        let reading = AnswerReading(
            maximumRecords: 2, maximumAliases: 2, anchors: TrustAnchorKey.keys(inZoneText: "test. DS 1 13 2 00"),
            unvalidated: [exempt])
        func read(_ name: DomainName, _ type: DNSQuestion.RecordType = .a, after time: Duration) -> TimedAnswer {
            let packet = Packet(answers: [Packet.record(name, 1, [192, 0, 2, 1])])
            return reading.read(
                RawAnswer(rcode: 0, isSecure: false, packet: packet.bytes), to: .init(name, type),
                at: self.now + time)
        }
        #expect(read("a.sub.test", after: .zero).lifetime == .seconds(60))
        #expect(read("other.test", after: .zero).lifetime == .seconds(86_400))
        #expect(
            read("a.sub.test", after: .seconds(60)).answer
                == .failed(.bogus("sub.test was not validated, by a setting that ended")))
        #expect(read("sub.test", .ds, after: .zero).answer == .absent(.unsignedDelegation, .insecure))
        #expect(read("notsub.test", .ds, after: .zero).answer == .absent(.noData, .insecure))
    }

    @Test("A denial is kept for the lesser of the SOA's TTL and its last field (RFC 2308 §5)")
    func negativeLifetime() {
        #expect(
            self.read(Packet(authority: [Packet.soa("test", ttl: 300, minimum: 60)]), rcode: 3).lifetime == .seconds(60)
        )
        #expect(
            self.read(Packet(authority: [Packet.soa("test", ttl: 30, minimum: 60)]), rcode: 3).lifetime == .seconds(30))
        #expect(self.read(rcode: 3).lifetime == .seconds(5))
    }

    @Test("More aliases or records than allowed have a name of their own (dane-rules 12)")
    func limits() {
        let chain: [DomainName] = ["a.test", "b.test", "c.test", "d.test"]
        let aliases = zip(chain, chain.dropFirst()).map { Packet.record($0, 5, WireName($1).bytes) }
        #expect(self.read(Packet(answers: aliases)).answer == .failed(.tooManyAliases))
        #expect(
            self.read(Packet(answers: Array(aliases.prefix(2)))).answer
                == .absent(.noData, .insecure, aliases: ["b.test", "c.test"]))
        let loop = Packet.record("a.test", 5, WireName("a.test").bytes)
        #expect(self.read(Packet(answers: [loop])).answer == .failed(.tooManyAliases))
        let crowd = (1...3).map { Packet.record("a.test", 52, [3, 1, $0]) }
        #expect(
            self.read(Packet(answers: crowd), .init("a.test", .tlsa)).answer
                == .failed(.malformed("3 records, more than 2")))
    }

    @Test("Of hosts and addresses an answer may have any number that fits (dane-rules 12) (field C8)")
    func crowds() {
        let addresses = (1...200).map { Packet.record("a.test", 1, [192, 0, 2, $0]) }
        let hosts = (1...200).map { Packet.record("a.test", 15, [0, $0] + WireName("mx.test").bytes) }
        guard case .found(let four, .insecure, _) = self.read(Packet(answers: addresses)).answer,
            case .found(let mx, .insecure, _) = self.read(Packet(answers: hosts), .init("a.test", .mx)).answer
        else {
            Issue.record("a large answer is no answer")
            return
        }
        #expect(four.count == 200)
        #expect(mx.count == 200)
    }

    @Test("An exchange that no host can be named is left out; the others count, but not the root alone (RFC 7505 §3)")
    func oddExchanges() {
        let question = DNSQuestion("a.test", .mx)
        func exchange(_ name: [UInt8]) -> [UInt8] { Packet.record("a.test", 15, [0, 10] + name) }
        let (odd, root, host): ([UInt8], [UInt8], [UInt8]) = ([3, 0x61, 0x20, 0x62, 0], [0], WireName("mx.test").bytes)
        func answer(_ exchanges: [UInt8]...) -> DNSAnswer {
            self.read(Packet(answers: exchanges.map(exchange)), question).answer
        }
        #expect(answer(odd, host) == .found([.mx(preference: 10, exchange: "mx.test")], .insecure, aliases: []))
        #expect(answer(root) == .found([.mx(preference: 10, exchange: nil)], .insecure, aliases: []))
        for exchanges in [[odd], [odd, root]] {
            let answer = self.read(Packet(answers: exchanges.map(exchange)), question).answer
            #expect(answer == .failed(.malformed("no MX record names a host")))
        }
    }

    @Test("TLSA RDATA of lengths 0 and 2 counts as an unusable record, never as none", arguments: [0, 2])
    func shortTLSA(_ length: Int) {
        let question = DNSQuestion("_25._tcp.a.test", .tlsa)
        let packet = Packet(answers: [Packet.record(question.name, 52, Array(repeating: 3, count: length))])
        guard case .found(let records, .secure, _) = self.read(packet, secure: true, question).answer else {
            Issue.record("the record is lost")
            return
        }
        #expect(records.count == 1)
    }

    @Test("Every truncation and every changed byte of a packet gives an answer or a failure, never a trap")
    func hostilePackets() {
        let records = [
            Packet.record("a.test", 5, [1, 0x62, 0xC0, 14]), Packet.record("b.test", 15, [0, 10, 0]),
            Packet.signature("a.test", ends: self.now + .seconds(60)),
        ]
        let whole = Packet(answers: records, authority: [Packet.soa("test", ttl: 300, minimum: 60)])
        for length in whole.bytes.indices {
            var packet = whole
            packet.bytes.removeLast(whole.bytes.count - length)
            guard case .failed(.malformed) = self.read(packet).answer else {
                Issue.record("\(length) bytes of \(whole.bytes.count) were an answer")
                continue
            }
        }
        for index in whole.bytes.indices {
            for value in [0, 1, 63, 64, 0xC0, 0xFF] as [UInt8] {
                var packet = whole
                packet.bytes[index] = value
                for type in DNSQuestion.RecordType.allCases {
                    _ = self.read(packet, secure: true, .init("a.test", type))
                }
            }
        }
    }

    @Test("A name below no anchor is indeterminate: our failure (RFC 4035 §4.3)")
    func noAnchor() {
        #expect(
            self.read(.init(), DNSQuestion("a.example", .a)).answer
                == .failed(.resolverUnavailable("no trust anchor above a.example")))
    }
}
