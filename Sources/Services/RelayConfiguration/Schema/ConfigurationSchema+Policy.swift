import Admission
import MailModel

/// The keys that say who may send what through the node, and when it says "not now".
extension ConfigurationSchema {
    private typealias Key = Setting<RelaydConfiguration>

    static let auth: [Setting<RelaydConfiguration>] = [
        Key(
            "auth.users-file", \.auth.usersFile, .optional(.string("path")),
            isReloaded: true,
            "File with a line name:hash for each user that may send to any domain after AUTH over TLS; relayd auth hash makes them. Others must not be able to read it. Without it AUTH is not offered."
        ),
        Key(
            "auth.threads", \.auth.threads, .integer(1...64),
            "Passwords checked at once; each takes the memory of its hash, usually 32 MiB."),
        Key(
            "auth.max-waiting", \.auth.maxWaiting, .integer(1...100_000),
            "Passwords that may wait to be checked; more are answered 454."),
        Key(
            "auth.max-failures", \.auth.maxFailures, .integer(1...1_000_000),
            "Wrong passwords of one client address (IPv6: its /64) within failure-window; then it is answered 454."),
        Key(
            "auth.failure-window", \.auth.failureWindow, .duration(second...day),
            "How long wrong passwords are remembered, from the first of them."),
        Key(
            "auth.cache-time", \.auth.cacheTime, .duration(.zero...day),
            "How long a right password is remembered, by a keyed digest, and not checked again; 0s for never."),
    ]

    static let clientCertificates: [Setting<ClientCertificates>] = [
        Setting("ca-file", \.authorityFile, .optional(.string("path")), "PEM file of the authorities."),
        Setting("fingerprints", \.fingerprints, .list(.fingerprint()), "SHA-256 of certificates or their keys."),
    ]

    static let callAhead: [Setting<RelaydConfiguration>] = [
        Key(
            "call-ahead.timeout", \.callAhead.timeout, .duration(second...(second * 300)),
            "Time in which a next hop must have said whether it takes a recipient."),
        Key(
            "call-ahead.on-failure", \.callAhead.onFailure, .choice(),
            "What becomes of a recipient when it has not: tempfail answers 450, accept takes it."),
        Key(
            "call-ahead.positive-cache-time", \.callAhead.positiveCacheTime, .duration(second...(day * 30)),
            "How long the answer that a recipient exists is kept."),
        Key(
            "call-ahead.negative-cache-time", \.callAhead.negativeCacheTime, .duration(second...(day * 30)),
            "How long the answer that it does not is kept."),
        Key(
            "call-ahead.cache-entries", \.callAhead.cacheEntries, .integer(0...10_000_000),
            "Answers kept, at most a kilobyte each; the one not asked for longest goes first."),
        Key(
            "call-ahead.max-connections", \.callAhead.maxConnections, .integer(1...10_000),
            "Questions under way at once; others wait, no longer than timeout."),
        Key(
            "call-ahead.max-connections-per-domain", \.callAhead.maxConnectionsPerDomain, .integer(1...10_000),
            "The same, for one domain."),
    ]

    static let capacity: [Setting<RelaydConfiguration>] = [
        Key(
            "queue.max-messages", \.queue.maxMessages, .integer(0...1_000_000_000_000),
            "Entries of the whole queue, one for each message and recipient domain, from which on mail is answered 452 until it is under nine tenths; 0 is without limit. Looked at every 2s."
        ),
        Key(
            "queue.max-bytes", \.queue.maxBytes, .size(ByteCount(0)...ByteCount(1 << 60)),
            "The same for the bytes of their messages; a message whose SIZE does not fit is answered 452, too."),
        Key(
            "queue.max-database-size", \.queue.maxDatabaseSize, .size(ByteCount(0)...ByteCount(1 << 60)),
            "The same for the size of the database on its server's disk."),
        Key(
            "queue.max-copy-bytes", \.queue.maxCopyBytes, .size(ByteCount(0)...ByteCount(1 << 60)),
            "Bytes of all copies of one message, which is stored once for each shard that its recipients' domains are in; recipients beyond that are answered 452, and the client sends it again to them. 0 is without limit."
        ),
        Key(
            "queue.max-staged-bytes", \.queue.maxStagedBytes, .size(ByteCount(0)...ByteCount(1 << 60)),
            "Bytes, in all copies, of bodies over 64KiB that are on their way into this node and not complete; clients that may not relay have half of it, and never is it more than a quarter of max-database-size. Beyond it large messages are answered 452. 0 is without limit."
        ),
        Key(
            "queue.max-trace-size", \.queue.maxTraceSize, .size(ByteCount(0)...ByteCount(1 << 60)),
            "Size of the trace on the disk of the database's server, never more than a quarter of max-database-size; its oldest days are forgotten first, and today where it alone is larger. 0 is without limit; of several nodes' values the least counts."
        ),
    ]

    /// What must hold between these keys, and with others.
    static func policyInconsistencies(in configuration: RelaydConfiguration) -> [(key: String, message: String)] {
        var found: [(key: String, message: String)] = []
        if configuration.tls.certificates.isEmpty, !configuration.hasController {
            let needed = "needs TLS, and there are no tls.certificates"
            if configuration.auth.usersFile != nil { found.append(("auth.users-file", needed)) }
            if configuration.tls.clientCertificates != ClientCertificates() {
                found.append(("tls.client-certificates", needed))
            }
        }
        found += Self.networkProblems(in: configuration)
        if let problem = Self.postmasterProblem(in: configuration) { found.append(("dsn.postmaster", problem)) }
        return found
    }

    /// Networks of everybody make an open relay, whether one holds all addresses or several do so together.
    private static func networkProblems(in configuration: RelaydConfiguration) -> [(key: String, message: String)] {
        let harm = "anyone could send to any domain through this node"
        let help = "name the networks of your own clients, or give them users (auth.users-file)"
        let networks = configuration.relayNetworks
        let whole = networks.filter { $0.prefixLength == 0 }
        let found = whole.map { "\($0) is every address: \(harm); \(help)" }
        // What is said of a whole family need not be said again.
        let others = networks.filter { network in
            !whole.contains { $0.network.isIPv6 == network.network.isIPv6 }
        }
        let excesses = NetworkCoverage.excesses(of: others).map { coverage in
            "these networks together hold \(coverage): \(harm); \(help)"
        }
        return (found + excesses).map { ("relay-networks", $0) }
    }

    /// Mail to our own name comes back to us unless we know where else it goes.
    private static func postmasterProblem(in configuration: RelaydConfiguration) -> String? {
        guard let mailbox = configuration.dsn.postmaster.flatMap({ Mailbox($0) }), let domain = mailbox.domainName,
            !configuration.acceptedDomains.contains(where: { $0.domain == domain }),
            ([configuration.node.name] + configuration.smtp.listeners.compactMap(\.hostName)).contains(domain)
        else { return nil }
        return "\(domain) is this node itself: make it an accepted domain with a next hop, or name another address"
    }
}
