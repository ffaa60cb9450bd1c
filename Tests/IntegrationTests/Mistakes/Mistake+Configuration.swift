import Foundation

extension Mistake {
    /// Those in the file itself, and in what stands beside it.
    static let files: [Mistake] = [
        Mistake("the configuration file does not exist", command: ["config", "check", "--config", "DIR/absent.yaml"]),
        Mistake("a folder is named instead of the file", command: ["config", "check", "--config", "DIR"]),
        Self.unreadable,
        Mistake("the file is larger than any configuration", text: String(repeating: "# comment\n", count: 500_000)),
        Mistake("the file is empty", text: "").adding("--set", "node.name=mx1.example.org"),
        Mistake("a bracket is not closed", text: "relay-networks: [192.0.2.0/24\n"),
        Mistake("a key is there twice", text: "queue:\n  shards: 64\n  shards: 64\n"),
        Mistake("a slip in a key", ["queue": "{shard: 64}"]),
        Mistake("a slip in a section", ["dilivery": "{port: 25}"]),
        Mistake("a slip in the environment").adding(environment: ["RELAYD_DELIVERY_PROT": "25"]),
        Mistake("a slip in --set").adding("--set", "delivery.prot=25"),
        Mistake("--set without a value").adding("--set", "delivery.port"),
        Mistake("a duration that is none", ["queue": "{lease-ttl: soon}"]),
        Mistake("a port that is none", ["delivery": "{port: 70000}"]),
        Mistake("a network with bits behind its prefix", ["relay-networks": "[192.0.2.1/24]"]),
        Mistake("a lease renewed too late", ["queue": "{lease-renewal: 8s}"]),
    ]

    private static var unreadable: Mistake {
        var mistake = Mistake("the file is for root only, and relayd runs as another user", text: "", mode: 0)
        mistake.asOrdinaryUser = true
        return mistake
    }

    /// Those that would let anybody in, or send mail round in circles.
    static let mail: [Mistake] = [
        Mistake("everybody may relay", ["relay-networks": "[0.0.0.0/0]"]),
        Mistake("everybody may relay, over IPv6", ["relay-networks": "[\"::/0\"]"]),
        Mistake("everybody may relay, in two halves", ["relay-networks": "[0.0.0.0/1, 128.0.0.0/1]"]),
        Mistake("everybody may be a proxy", ["smtp": "{proxy-networks: [0.0.0.0/0]}"]),
        Mistake(
            "proxies are expected, and none is named",
            ["smtp": "{listeners: [{address: \"127.0.0.1:2525\", proxy-protocol: true}]}"]),
        Mistake("the next hop is our own address", Self.domain("next-hop: \"127.0.0.1:2525\"")),
        Mistake("the next hop is our own name", Self.domain("next-hop: \"mx1.example.org:2525\"")),
        Mistake("a domain is there twice", ["accepted-domains": "[{domain: example.org}, {domain: example.org}]"]),
        Mistake("the list of recipients is missing", Self.domain("recipients: {file: DIR/absent}")),
        Mistake("the node has no full name", ["node": "{name: edge}"]),
        Mistake("the postmaster lives at the node itself", ["dsn": "{postmaster: root@mx1.example.org}"]),
        Mistake("a source address of another machine", ["delivery": "{source-addresses: [{address: 192.0.2.77}]}"]),
    ]

    private static func domain(_ rest: String) -> [String: String] {
        ["accepted-domains": "[{domain: example.org, \(rest)}]"]
    }

    /// Those of certificates, users and keys.
    static let keys: [Mistake] = [
        Mistake("there is no certificate", ["tls": "{certificates: []}"]),
        Mistake("there is no certificate, and none is wanted", ["tls": "{certificates: [], required: false}"]),
        Mistake("the certificate has expired", Self.pair("expired.pem", "expired-key.pem")),
        Mistake("the certificate is for another name", ["node": "{name: mx2.example.org}"]),
        Mistake("the certificate does not exist", Self.pair("absent.pem", "key.pem")),
        Mistake("the certificate is none", Self.pair("garbage", "key.pem")),
        Mistake("the key is another certificate's", Self.pair("chain.pem", "other-key.pem")),
        Mistake("others can read the key", Self.pair("chain.pem", "open-key.pem")),
        Mistake("users without TLS", ["tls": "{certificates: []}", "auth": "{users-file: DIR/users}"]),
        Mistake("the file of users does not exist", ["auth": "{users-file: DIR/absent}"]),
        Mistake("a password in clear in the file of users", ["auth": "{users-file: DIR/users}"]),
    ]

    private static func pair(_ chain: String, _ key: String) -> [String: String] {
        ["tls": "{certificates: [{certificate: DIR/\(chain), key: DIR/\(key)}]}"]
    }

    /// Those of the resolver.
    static let resolver: [Mistake] = [
        Mistake("the trust anchor does not exist", ["resolver": "{trust-anchor-files: [DIR/absent]}"]),
        Mistake("the trust anchor is none", ["resolver": "{trust-anchor-files: [DIR/garbage]}"]),
        Mistake("the root hints do not exist", ["resolver": "{root-hints: DIR/absent}"]),
        Mistake("the root hints are something else", ["resolver": "{root-hints: DIR/garbage}"]),
        Mistake("the root hints are empty", ["resolver": "{root-hints: DIR/empty}"]),
        Mistake("an option that libunbound does not have", ["resolver": "{options: {edns-buffer: \"1232\"}}"]),
        Mistake("an option that weakens validation", ["resolver": "{options: {domain-insecure: example.org}}"]),
        Mistake("a value that an option does not take", ["resolver": "{options: {edns-buffer-size: lots}}"]),
    ]

    /// Those of the connection string, which never show a password.
    static let connections: [Mistake] = [
        Mistake("a slip in a key word of libpq", Self.connection("hots=db.example.org dbname=relay")),
        Mistake(
            "a password with a blank, and without quotes",
            Self.connection("host=db password=correct horse dbname=relay")),
        Mistake(
            "a password with a blank and an equals sign", Self.connection("host=db password=correct horse=battery")),
        Mistake("a quote that is not closed", Self.connection("host=db password='secret dbname=relay")),
        Mistake("a slash in the password of a URI", Self.connection("postgresql://relay:se/cret@db:port/relay")),
        Mistake("a port that is none, for libpq", Self.connection("host=db port=postgres")),
        Mistake("a kind of TLS that libpq does not have", Self.connection("host=db sslmode=required")),
        Mistake(
            "others can read the file with the password",
            text: "node: {name: mx1.example.org}\ndatabase: {connection: \"host=db password=secret\"}\n", mode: 0o644),
    ]

    private static func connection(_ text: String) -> [String: String] { ["database": "{connection: \"\(text)\"}"] }
}
