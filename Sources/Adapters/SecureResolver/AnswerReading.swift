package import DNSModel
package import MailModel

/// What libunbound said to one query, before anything is made of it.
package struct RawAnswer: Equatable, Sendable {
    package var rcode: Int
    package var isSecure: Bool
    /// The validator's reason, if it found the answer bogus.
    package var bogusReason: String?
    package var packet: [UInt8]
    /// The budget that it passed, where libunbound says SERVFAIL for that.
    package var passed: LookupBudget?

    /// The RCODE of a look-up that failed.
    static let serverFailure = 2

    package init(
        rcode: Int, isSecure: Bool, bogusReason: String? = nil, packet: [UInt8], passed: LookupBudget? = nil
    ) {
        self.passed = passed
        self.rcode = rcode
        self.isSecure = isSecure
        self.bogusReason = bogusReason
        self.packet = packet
    }
}

/// An answer together with how long it may be kept.
package struct TimedAnswer: Equatable, Sendable {
    package var answer: DNSAnswer
    package var lifetime: Duration
}

/// Turns raw answers into `DNSAnswer`s; pure, so every verdict can be tested with a few bytes.
package struct AnswerReading: Sendable {
    var maximumRecords: Int
    var maximumAliases: Int
    /// The names that trust begins at; below none of them, nothing is proven either way.
    var anchors: [TrustAnchorKey]
    /// Domains that libunbound was told not to validate. Its word on them ends with the operator's.
    var unvalidated: [UnvalidatedDomain]

    package init(
        maximumRecords: Int, maximumAliases: Int, anchors: [TrustAnchorKey], unvalidated: [UnvalidatedDomain] = []
    ) {
        self.unvalidated = unvalidated
        self.maximumRecords = maximumRecords
        self.maximumAliases = maximumAliases
        self.anchors = anchors
    }

    /// How long failures are kept: long enough to shield a broken zone from a burst of mail, short enough to notice repair.
    static func lifetime(of failure: DNSFailure) -> Duration {
        switch failure {
        case .bogus: .seconds(5)
        case .resolverUnavailable: .zero
        // Who ended a resolver is remembered by its supervision; this spares it questions.
        case .excessive: .seconds(60)
        case .serverFailure, .refused, .unexpectedResponse, .timeout, .tooManyAliases, .malformed: .seconds(1)
        }
    }

    /// Denials by names hashed more often than this prove nothing. No key may be used with more (RFC 5155 §10.3). Fewer
    /// than that are computed, though RFC 9276 §3.2 would have them ignored from 100 on. libunbound calls insecure what
    /// it does not compute. So anybody could forge a zone that is slow to prove.
    static let maximumIterations: UInt16 = 2_500

    /// A negative answer without SOA, as some forwarders give it, is kept no longer than this.
    static let negativeLifetimeWithoutSOA = Duration.seconds(5)

    /// Judges one raw answer at the time `now`.
    ///
    /// The order matters: libunbound reports a dead server as RCODE 2 with the bits of "insecure". So the bits of an
    /// answer count only when there is one.
    package func read(_ raw: RawAnswer, to question: DNSQuestion, at now: Timestamp) -> TimedAnswer {
        if question.type == .ds, self.isAboveTrust(question.name) {
            return TimedAnswer(answer: .absent(.noData, .secure), lifetime: Self.negativeLifetimeWithoutSOA)
        }
        if question.type == .ds,
            let exempt = self.unvalidated.first(where: { $0.covers(question.name) && now < $0.until })
        {
            return TimedAnswer(
                answer: .absent(.unsignedDelegation, .insecure),
                lifetime: min(Self.negativeLifetimeWithoutSOA, exempt.until - now))
        }
        if let reason = raw.bogusReason { return self.failed(.bogus(reason)) }
        if let budget = raw.passed { return self.failed(.excessive("\(budget)")) }
        guard raw.rcode == 0 || raw.rcode == 3 else { return self.failed(Self.failure(rcode: raw.rcode)) }
        do throws(DNSMessage.Malformed) {
            let message = try DNSMessage(packet: raw.packet)
            return try self.read(message, raw, question, now)
        } catch {
            return self.failed(.malformed(error.reason))
        }
    }

    private func read(
        _ message: DNSMessage, _ raw: RawAnswer, _ question: DNSQuestion, _ now: Timestamp
    ) throws(DNSMessage.Malformed) -> TimedAnswer {
        var owner = WireName(question.name)
        var aliases: [DomainName] = []
        // An alias is no delegation, and what it leads to says nothing about one.
        while question.type != .cname, question.type != .ds,
            let link = message.answers.first(where: { $0.type == DNSType.cname && $0.owner == owner }),
            let target = link.target
        {
            guard aliases.count < self.maximumAliases else { return self.failed(.tooManyAliases) }
            guard let name = target.domainName else { throw .init(reason: "an alias leads to no host name") }
            aliases.append(name)
            owner = target
        }
        let matching = message.answers.filter { $0.type == question.type.rawValue && $0.owner == owner }
        guard matching.count <= self.maximumRecords || !question.type.isWholeOnly else {
            throw .init(reason: "\(matching.count) records, more than \(self.maximumRecords)")
        }
        let answer: DNSAnswer
        let state: DNSSECState = raw.isSecure ? .secure : .insecure
        if matching.isEmpty {
            let absence: DNSAbsence = raw.rcode == 3 ? .nameError : .noData
            let isUnsigned = question.type == .ds && message.provesUnsignedDelegation(at: owner, state)
            answer = .absent(isUnsigned ? .unsignedDelegation : absence, state, aliases: aliases)
        } else {
            var records: [DNSRecord] = []
            for record in matching {
                if let record = try Self.record(record) { records.append(record) }
            }
            // Left out is no absence, and beside others the root is no "null MX" (RFC 7505 §3).
            let isWhole = records.count == matching.count
            guard isWhole || records.contains(where: \.namesHost) else {
                throw .init(reason: "no MX record names a host")
            }
            answer = .found(records, state, aliases: aliases)
        }
        return self.timed(answer, message, [question.name] + aliases, now)
    }

    /// Adds the lifetime, and refuses what cannot be judged: names below no anchor, and signatures that ended.
    private func timed(
        _ answer: DNSAnswer, _ message: DNSMessage, _ names: [DomainName], _ now: Timestamp
    ) -> TimedAnswer {
        guard answer.isSecure else {
            // Without an anchor above it a name is indeterminate (RFC 4035 §4.3), which is not "proven insecure".
            if let name = names.first(where: { name in !self.anchors.contains { $0.covers(name) } }) {
                return self.failed(.resolverUnavailable("no trust anchor above \(name)"))
            }
            // libunbound says "insecure" of what it did not compute, as if that were proven. An attacker between us and
            // a zone of such denials could then take its TLSA records away.
            if let iterations = Self.iterations(message), iterations > Self.maximumIterations {
                return self.failed(
                    .bogus("NSEC3 with \(iterations) iterations, more than \(Self.maximumIterations) (RFC 5155)"))
            }
            var lifetime = self.lifetime(message, isNegative: answer.isNegative)
            for exempt in self.unvalidated where names.contains(where: exempt.covers) {
                guard now < exempt.until else {
                    return self.failed(.bogus("\(exempt.domain) was not validated, by a setting that ended"))
                }
                lifetime = min(lifetime, exempt.until - now)
            }
            return TimedAnswer(answer: answer, lifetime: lifetime)
        }
        var lifetime = self.lifetime(message, isNegative: answer.isNegative)
        for signature in message.answers + message.authority where signature.type == DNSType.rrsig {
            guard let expiry = Self.expiry(signature, near: now) else { return self.failed(.malformed("short RRSIG")) }
            // libunbound allows for skewed clocks; by ours the signature has ended (RFC 4035 §5.3.1).
            guard expiry > now else { return self.failed(.bogus("a signature ended at \(expiry)")) }
            lifetime = min(lifetime, expiry - now)
        }
        return TimedAnswer(answer: answer, lifetime: lifetime)
    }

    private func lifetime(_ message: DNSMessage, isNegative: Bool) -> Duration {
        var seconds = message.answers.map(\.effectiveTimeToLive)
        if isNegative {
            // The negative TTL is the lesser of the SOA's own TTL and its last field (RFC 2308 §5).
            let negative = message.authority.filter { $0.type == DNSType.soa }.map { soa in
                min(soa.effectiveTimeToLive, soa.data.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            }
            guard !negative.isEmpty else {
                return min(Self.negativeLifetimeWithoutSOA, .seconds(Int64(seconds.min() ?? .max)))
            }
            seconds += negative
        }
        return .seconds(Int64(seconds.min() ?? 0))
    }

    /// Trust begins at this name or below it, so no delegation to it has anything to prove.
    private func isAboveTrust(_ name: DomainName) -> Bool {
        let isBelow = self.anchors.contains { $0.covers(name) && $0.owner != name.text }
        return !isBelow && self.anchors.contains { $0.owner == name.text || $0.owner.hasSuffix("." + name.text) }
    }

    /// How often a denial hashes its names again, at the most (RFC 5155 §3.2); `nil` where there is none of that kind.
    private static func iterations(_ message: DNSMessage) -> UInt16? {
        message.authority.filter { $0.type == DNSType.nsec3 }.map { denial in
            denial.data.dropFirst(2).prefix(2).reduce(0) { $0 << 8 | UInt16($1) }
        }.max()
    }

    private func failed(_ failure: DNSFailure) -> TimedAnswer {
        TimedAnswer(answer: .failed(failure), lifetime: Self.lifetime(of: failure))
    }

    private static func failure(rcode: Int) -> DNSFailure {
        switch rcode {
        case RawAnswer.serverFailure: .serverFailure
        case 5: .refused
        default: .unexpectedResponse(rcode)
        }
    }

    /// When a signature ends: 32 bits that wrap around, read as the moment nearest to now (RFC 4034 §3.1.5).
    private static func expiry(_ signature: DNSMessage.Record, near now: Timestamp) -> Timestamp? {
        guard signature.data.count >= 18 else { return nil }
        let field = signature.data.dropFirst(8).prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let second = now.microseconds / 1_000_000
        let distance = Int32(bitPattern: field &- UInt32(truncatingIfNeeded: second))
        return Timestamp(seconds: second + Int64(distance))
    }

    /// `nil` is an exchange whose name no host can have: it is of no use, and the others are.
    private static func record(_ record: DNSMessage.Record) throws(DNSMessage.Malformed) -> DNSRecord? {
        switch record.type {
        case DNSQuestion.RecordType.tlsa.rawValue:
            // Too short for a TLSA record, but published as one: it counts as unusable, not as absent.
            let unusable = TLSARecord(
                usage: .init(rawValue: 255), selector: .init(rawValue: 255), matchingType: .init(rawValue: 255),
                associationData: [])
            return .tlsa(TLSARecord(rdata: record.data) ?? unusable)
        case DNSType.mx:
            let preference = record.data.prefix(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
            guard let target = record.target else { throw .init(reason: "an MX record without exchange") }
            if target.isRoot { return .mx(preference: preference, exchange: nil) }
            return target.domainName.map { .mx(preference: preference, exchange: $0) }
        case DNSType.cname:
            guard let name = record.target?.domainName else { throw .init(reason: "an alias leads to no host name") }
            return .alias(name)
        case DNSQuestion.RecordType.ds.rawValue:
            // Key tag, algorithm, digest type, digest (RFC 4034 §5.1).
            guard record.data.count > 4 else { throw .init(reason: "a DS record of \(record.data.count) bytes") }
            let numbers = Array(record.data.prefix(4))
            return .delegationSigner(algorithm: numbers[2], digestType: numbers[3])
        default:
            let length = record.type == DNSQuestion.RecordType.a.rawValue ? 4 : 16
            guard record.data.count == length, let address = IPAddress(bytes: record.data) else {
                throw .init(reason: "an address of \(record.data.count) bytes")
            }
            return .address(address)
        }
    }
}

extension DNSMessage.Record {
    /// The TTL in seconds; one with the top bit set counts as zero (RFC 2181 §8).
    fileprivate var effectiveTimeToLive: UInt32 { self.timeToLive > UInt32(Int32.max) ? 0 : self.timeToLive }
}

extension DNSQuestion.RecordType {
    /// Each record of the set counts, so that a part of it is no answer. Of hosts and addresses some will do; an answer has no
    /// more of them than fit into 64 KiB.
    fileprivate var isWholeOnly: Bool {
        switch self {
        case .tlsa, .ds, .cname: true
        case .mx, .a, .aaaa: false
        }
    }
}

extension DNSRecord {
    /// It is no MX record of the root.
    fileprivate var namesHost: Bool {
        if case .mx(_, exchange: nil) = self { false } else { true }
    }
}

extension DNSAnswer {
    var isSecure: Bool {
        switch self {
        case .found(_, let state, _), .absent(_, let state, _): state == .secure
        case .failed: false
        }
    }

    var isNegative: Bool {
        if case .absent = self { true } else { false }
    }

    var isFailure: Bool {
        if case .failed = self { true } else { false }
    }
}
