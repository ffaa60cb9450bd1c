import Foundation
import MailModel

/// The file that libunbound is configured with: it takes stub and forward zones from nowhere else.
struct UnboundConfiguration: Equatable, Sendable {
    /// The text in the form of unbound.conf(5), but for `unvalidated`. It names the files of the two below by the descriptors
    /// that a child has.
    private let lasting: String
    /// The contents of all files of trust anchors.
    let anchorText: String
    /// The contents of the file of root hints; empty for libunbound's own.
    let hintText: String
    /// Domains that are not to be validated for the time being.
    let unvalidated: [UnvalidatedDomain]
    /// The keys that trust begins with.
    let anchors: [TrustAnchorKey]
    /// One line for the log.
    let description: String

    /// Checks settings and writes them as text.
    init(_ settings: SecureResolverSettings) throws(SecureResolverError) {
        var lines = ["server:"] + Self.defaults(settings)
        var anchors: [TrustAnchorKey] = []
        var anchorText = ""
        for anchor in settings.trustAnchors {
            switch anchor {
            case .file(let path):
                let text = try Self.text(ofFile: path)
                anchors += try Self.keys(in: text, ofFile: path)
                anchorText += text + "\n"
            case .record(let record):
                lines.append("trust-anchor: \(try Self.quoted(record))")
                let keys = TrustAnchorKey.keys(inZoneText: record)
                guard !keys.isEmpty else { throw .init(.invalidTrustAnchor, "not a DS or DNSKEY record: \(record)") }
                anchors += keys
            }
        }
        // Without an anchor every answer would be insecure, and every domain would lose DANE without a word.
        guard !anchors.isEmpty else { throw .init(.invalidTrustAnchor, "no trust anchor is configured") }
        if !anchorText.isEmpty { lines.append("trust-anchor-file: \(Self.file(ResolverChild.Descriptors.anchors))") }
        self.anchorText = anchorText
        self.hintText = try settings.rootHints.map { path throws(SecureResolverError) in try Self.hints(path) } ?? ""
        if settings.rootHints != nil { lines.append("root-hints: \(Self.file(ResolverChild.Descriptors.hints))") }
        for option in settings.options { lines.append(try UnboundOption.line(option)) }
        for stub in settings.stubZones {
            guard !stub.servers.isEmpty else { throw .init(.invalidSettings, "a stub zone without servers") }
            lines += ["stub-zone:", "name: \"\(stub.zone?.text ?? "").\""] + stub.servers.map { "stub-addr: \($0)" }
        }
        if !settings.forwarders.isEmpty {
            lines += ["forward-zone:", "name: \".\""] + settings.forwarders.map { "forward-addr: \($0)" }
        }
        self.lasting = lines.joined(separator: "\n") + "\n"
        self.unvalidated = settings.unvalidatedDomains
        self.anchors = anchors
        self.description = Self.describe(settings, anchors)
    }

    /// The text in the form of unbound.conf(5), as it is to be from `now` on.
    func text(at now: Timestamp) -> String {
        let exempt = self.unvalidated.filter { now < $0.until }
        guard !exempt.isEmpty else { return self.lasting }
        return self.lasting + "server:\n" + exempt.map { "domain-insecure: \"\($0.domain).\"\n" }.joined()
    }

    /// What libunbound's own defaults, made for one desktop, lack for a relay. The operator's options come after these.
    private static func defaults(_ settings: SecureResolverSettings) -> [String] {
        let bytes = max(settings.cacheBytes, 1 << 20)
        return [
            "msg-cache-size: \(bytes / 4)", "rrset-cache-size: \(bytes / 2)", "key-cache-size: \(bytes / 4)",
            // A question that we have given up lives on in libunbound, with a socket: those of silent servers must leave some
            // for the others.
            "outgoing-range: \(settings.sockets)", "num-queries-per-thread: \(max(settings.concurrentQueries, 16))",
            "outgoing-num-tcp: 64", "incoming-num-tcp: 0",
            // Each label of a name would cost a query, and each alias begins a name anew. A zone of endless aliases
            // made ten thousand queries of one look-up.
            "qname-minimisation: no",
            // Name servers are looked up one at a time and when they are needed, not all that a delegation names.
            "target-fetch-policy: \"\(Array(repeating: "0", count: LookupBudget.Limit.depth + 1).joined(separator: " "))\"",
            // What one look-up may take. Mail needs a few questions and aliases; what needs more fails, and says so.
            "max-sent-count: \(LookupBudget.Limit.questions)", "max-query-restarts: \(LookupBudget.Limit.aliases)",
            // A question is sent to one server so often, and a TCP connection answers within 3 s. A byte now and then,
            // or silence, costs no more.
            "outbound-msg-retry: 5", "tcp-auth-query-timeout: 3000",
            // No zone has a rate of its own: one as large as `com` would reach any that hinders an attacker.
            "ratelimit: 0",
            // Why a look-up failed stands only there (`FailureLog`).
            "log-servfail: yes",
            // What fails is asked again by the queue: other servers of a zone whose answers are bogus are tried twice, not five
            // times.
            "val-max-restart: 2",
            // The self-test's name must be denied by the root, not by what is known of it. Denials made up from others
            // are one more path through the validator.
            "aggressive-nsec: no",
            // A server that was dead is asked again soon, and a zone that was bogus too: mail waits for both.
            "infra-host-ttl: 60", "infra-keep-probing: yes", "val-bogus-ttl: 5",
        ] + Self.strictness
    }

    /// How strict libunbound is, each choice for a reason, whatever a later version's default may be.
    private static let strictness = [
        // What zones ask for beyond this is not computed, for keys of any size; `AnswerReading` knows the limit. At
        // 0.3 µs a round, and eight names a denial, the dearest denial costs some 6 ms.
        "val-nsec3-keysize-iterations: \"1024 \(AnswerReading.maximumIterations)\"",
        // A tenth of a signature's life, up to a day, would be more than a clock may be wrong.
        "val-sig-skew-min: 3600", "val-sig-skew-max: 3600",
        // Of DS records for one key only those by the strongest digest count: a right SHA-1 beside a wrong SHA-256 is
        // bogus (RFC 4509 §3). By default, `no`, any one that fits would do. The price: a zone must sign by each
        // algorithm that its DS records name, as RFC 4035 §2.2 demands. RFC 6840 §5.11 lets validators be lenient.
        "harden-algo-downgrade: yes",
        // Below an anchor an answer without signatures is bogus, not insecure (RFC 4035 §4.3).
        "harden-dnssec-stripped: yes", "val-permissive-mode: no",
        // Records that a server has no say about are dropped, and with them what it could poison us with.
        "harden-glue: yes", "val-clean-additional: yes", "harden-short-bufsize: yes",
        // A signed denial of a name answers for all names below it (RFC 8020). It is a proof, and spares servers the
        // questions that a flood of forged senders would make.
        "harden-below-nxdomain: yes",
        // An answer outlives its time nowhere: a TLSA record that was withdrawn must not count.
        "serve-expired: no", "cache-min-ttl: 0",
        // These three guess at forgeries by asking more, and fail with servers that are merely odd. Signatures tell better.
        "harden-referral-path: no", "harden-large-queries: no", "use-caps-for-id: no",
        // Private networks are no exception.
        "insecure-lan-zones: no",
        // `AnswerReading` needs the authority section.
        "minimal-responses: no",
    ]

    private static func quoted(_ text: String) throws(SecureResolverError) -> String {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") }) else {
            throw .init(.invalidSettings, "\(text.debugDescription) has quotes or control characters")
        }
        return "\"\(text)\""
    }

    /// A file that a child has open.
    private static func file(_ descriptor: Int32) -> String { "\"/proc/self/fd/\(descriptor)\"" }

    private static func text(ofFile path: String) throws(SecureResolverError) -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw .init(.invalidTrustAnchor, "the trust anchor file \(path) cannot be read", cause: "\(error)")
        }
    }

    private static func keys(in text: String, ofFile path: String) throws(SecureResolverError) -> [TrustAnchorKey] {
        let keys = TrustAnchorKey.keys(inZoneText: text)
        guard !keys.isEmpty else { throw .init(.invalidTrustAnchor, "no DS or DNSKEY record in \(path)") }
        return keys
    }

    /// libunbound says "out of memory" to anything else than records.
    private static func hints(_ path: String) throws(SecureResolverError) -> String {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw .init(.invalidRootHints, "the root hints \(path) cannot be read", cause: "\(error)")
        }
        var types: Set<String> = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != ";" }.split(whereSeparator: \.isWhitespace).map { $0.uppercased() }
            guard let first = words.first, !first.hasPrefix("$") else { continue }
            guard words.count >= 3, let type = words.first(where: ["NS", "A", "AAAA"].contains) else {
                throw .init(
                    .invalidRootHints,
                    "\(path): line \(index + 1) is no NS, A or AAAA record, such as those of named.root")
            }
            types.insert(type)
        }
        guard types.contains("NS"), types.contains("A") || types.contains("AAAA") else {
            throw .init(
                .invalidRootHints,
                "\(path) has no NS record of the root with an address; take named.root of internic.net")
        }
        return text
    }

    private static func describe(_ settings: SecureResolverSettings, _ anchors: [TrustAnchorKey]) -> String {
        let trust = Dictionary(grouping: anchors, by: \.owner).sorted { $0.key < $1.key }.map { owner, keys in
            "\(owner). (keys \(Set(keys.map(\.keyTag)).sorted().map(String.init).joined(separator: ", ")))"
        }
        var sources: [String] = []
        if !settings.forwarders.isEmpty {
            sources.append("forwarders \(settings.forwarders.map(\.description).joined(separator: ", "))")
        }
        for stub in settings.stubZones {
            let servers = stub.servers.map(\.description).joined(separator: ", ")
            sources.append("stub zone \(stub.zone?.text ?? ""). at \(servers)")
        }
        if settings.forwarders.isEmpty { sources.append("root hints \(settings.rootHints ?? "built in")") }
        let options = settings.options.map { " \($0.name): \($0.value);" }.joined()
        return "validates from \(trust.joined(separator: ", ")); asks \(sources.joined(separator: "; "));"
            + " options:\(options.isEmpty ? " none" : options)"
    }
}

extension SecureResolverSettings.Server: CustomStringConvertible {
    /// As libunbound writes it, such as `192.0.2.53@53`.
    public var description: String { "\(self.address)@\(self.port)" }
}
