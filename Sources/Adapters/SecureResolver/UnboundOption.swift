import MailModel

/// The options of libunbound that an operator may set, each with the form of its value.
///
/// None of them can weaken validation: an option that might, or that nobody has looked at, is not here. A value is
/// read as what it must be and written anew, so that nothing else gets into the file with it.
enum UnboundOption {
    /// What a value must be.
    enum Form: Hashable {
        /// `yes` or `no`.
        case flag
        /// A whole number, with a unit of k, m or g where it counts bytes.
        case number(ClosedRange<Int>), bytes
        /// An address, or a network with its prefix.
        case address
        /// A domain name.
        case name
        /// A port, or two with a hyphen.
        case ports
        /// Up to sixteen whole numbers from -1 on.
        case numbers
        /// A zone that libunbound would answer for by itself, and `nodefault`: it is asked for like any other.
        case zoneWithoutDefault
    }

    static let forms: [String: Form] = [
        // Memory and sockets.
        "msg-cache-size": .bytes, "rrset-cache-size": .bytes, "key-cache-size": .bytes, "neg-cache-size": .bytes,
        "msg-cache-slabs": .number(1...1024), "rrset-cache-slabs": .number(1...1024),
        "key-cache-slabs": .number(1...1024), "infra-cache-slabs": .number(1...1024),
        "infra-cache-numhosts": .number(1...10_000_000), "outgoing-range": .number(1...65_000),
        "outgoing-num-tcp": .number(0...10_000), "num-queries-per-thread": .number(1...65_000),
        "so-rcvbuf": .bytes, "so-sndbuf": .bytes, "stream-wait-size": .bytes,
        // How long things are known: at most, never at least.
        "cache-max-ttl": .number(0...604_800), "cache-max-negative-ttl": .number(0...604_800),
        "val-bogus-ttl": .number(0...3_600), "infra-host-ttl": .number(0...86_400), "infra-keep-probing": .flag,
        "infra-cache-min-rtt": .number(1...120_000), "infra-cache-max-rtt": .number(1_000...120_000),
        "prefetch": .flag, "prefetch-key": .flag, "aggressive-nsec": .flag,
        // From where and how servers are asked.
        "outgoing-interface": .address, "outgoing-port-permit": .ports, "outgoing-port-avoid": .ports,
        "do-ip4": .flag, "do-ip6": .flag, "do-udp": .flag, "do-tcp": .flag, "prefer-ip4": .flag, "prefer-ip6": .flag,
        "tcp-upstream": .flag, "edns-buffer-size": .number(512...65_535), "max-udp-size": .number(512...65_535),
        "outgoing-tcp-mss": .number(0...65_535), "tcp-reuse-timeout": .number(1...600_000),
        "tcp-auth-query-timeout": .number(1...600_000), "max-reuse-tcp-queries": .number(1...65_535),
        "jostle-timeout": .number(1...60_000), "delay-close": .number(0...60_000),
        "fast-server-permil": .number(0...1_000), "fast-server-num": .number(1...100),
        "target-fetch-policy": .numbers, "qname-minimisation": .flag, "qname-minimisation-strict": .flag,
        // Stricter than the default, or none of validation's business.
        "harden-referral-path": .flag, "harden-large-queries": .flag, "use-caps-for-id": .flag,
        "rrset-roundrobin": .flag, "verbosity": .number(0...5),
        // Which servers and zones are asked.
        "do-not-query-localhost": .flag, "do-not-query-address": .address, "private-address": .address,
        "private-domain": .name, "unblock-lan-zones": .flag, "local-zone": .zoneWithoutDefault,
    ]

    /// The option as a line of the file.
    static func line(_ option: SecureResolverSettings.Option) throws(SecureResolverError) -> String {
        guard let form = Self.forms[option.name] else {
            let hint =
                option.name == "domain-insecure"
                ? "; name the domain in resolver.unvalidated-domains" : ": it is not known to leave validation as it is"
            throw .init(
                .invalidOption, "the libunbound option \(option.name.debugDescription) cannot be set\(hint)")
        }
        guard let value = form.value(option.value) else {
            throw .init(
                .invalidOption,
                "the libunbound option \(option.name) must be \(form.words), not \(option.value.debugDescription)")
        }
        return "\(option.name): \(value)"
    }
}

extension UnboundOption.Form {
    /// The value in the form of unbound.conf(5); `nil` where the text is anything else.
    func value(_ text: String) -> String? {
        let words = text.split(separator: " ").map { $0.trimmingQuotes }
        switch self {
        case .flag: return ["yes", "no"].contains(text) ? text : nil
        case .number(let range): return Self.number(text, in: range)
        case .bytes:
            let unit = text.last.map { "kmgKMG".contains($0) } == true ? String(text.suffix(1)) : ""
            return Self.number(String(text.dropLast(unit.count)), in: 0...1_000_000_000_000).map { $0 + unit }
        case .address:
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2, let address = IPAddress(String(parts[0])) else { return nil }
            guard parts.count == 2 else { return "\(address)" }
            return Self.number(String(parts[1]), in: 0...(address.isIPv6 ? 128 : 32)).map { "\(address)/\($0)" }
        case .name: return words.count == 1 ? Self.name(words[0]) : nil
        case .ports:
            let ports = text.split(separator: "-", omittingEmptySubsequences: false).map {
                Self.number(String($0), in: 1...65_535)
            }
            guard (1...2).contains(ports.count), !ports.contains(nil) else { return nil }
            return ports.compactMap(\.self).joined(separator: "-")
        case .numbers:
            let numbers = words.map { Self.number($0, in: -1...1_000_000) }
            guard (1...16).contains(numbers.count), !numbers.contains(nil) else { return nil }
            return "\"\(numbers.compactMap(\.self).joined(separator: " "))\""
        case .zoneWithoutDefault:
            guard words.count == 2, words[1] == "nodefault" else { return nil }
            return Self.name(words[0]).map { "\($0) nodefault" }
        }
    }

    /// What a value must be, in words.
    var words: String {
        switch self {
        case .flag: "yes or no"
        case .number(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .bytes: "a number of bytes such as 67108864 or 64m"
        case .address: "an address or a network"
        case .name: "a domain name"
        case .ports: "a port, or two such as 1024-2047"
        case .numbers: "whole numbers with spaces between them"
        case .zoneWithoutDefault: "a zone and `nodefault`"
        }
    }

    private static func number(_ text: String, in range: ClosedRange<Int>) -> String? {
        Int(text).flatMap { range.contains($0) ? "\($0)" : nil }
    }

    private static func name(_ text: String) -> String? { DomainName(text).map { "\"\($0).\"" } }
}

extension Substring {
    /// Without the quotes that unbound.conf(5) allows around a value or a part of one.
    fileprivate var trimmingQuotes: String {
        var text = self
        if text.first == "\"" { text.removeFirst() }
        if text.last == "\"" { text.removeLast() }
        return String(text)
    }
}
