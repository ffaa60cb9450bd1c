import Admission
import DeliveryQueue
import MailModel
import Routing
import TestLiterals
import Testing

@testable import RelayConfiguration

@Suite("Loading the configuration")
struct ConfigurationLoadingTests {
    private static let today = Timestamp(seconds: 1_800_000_000)

    private func loader(_ yaml: String = "") throws -> ConfigurationLoader {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return loader
    }

    private func problems(_ loader: ConfigurationLoader) -> [String] {
        do {
            _ = try loader.load()
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("Nothing given means the defaults, and their printed form loads as the same values")
    func defaults() throws {
        let defaults = try self.loader().load().configuration
        #expect(defaults == RelaydConfiguration(hostName: "edge.example"))
        let printed = ConfigurationText.defaults(defaults)
        #expect(try self.loader(printed).load().configuration == defaults)
    }

    @Test(
        "Unverified recipients on a listener that strangers reach are warned of (field A3)",
        arguments: [
            ("0.0.0.0:25", "", "any", true), ("[::]:25", "", "any", true), ("192.0.2.1:25", "", "any", true),
            ("127.0.0.1:25", ", proxy-protocol: true", "any", true), ("127.0.0.1:25", "", "any", false),
            ("[::1]:25", "", "any", false), ("0.0.0.0:25", "", "call-ahead", false),
            ("0.0.0.0:25", "", "{file: /users}", false),
        ] as [(String, String, String, Bool)])
    func unverifiedRecipients(_ address: String, _ proxy: String, _ recipients: String, _ isWarned: Bool) throws {
        let yaml = """
            smtp:
              listeners: [{name: mx, address: "\(address)"\(proxy)}]
              proxy-networks: [192.0.2.0/24]
            accepted-domains: [{domain: a.example, recipients: \(recipients)}]
            """
        let warnings = try self.loader(yaml).load().warnings(at: Self.today)
        #expect(warnings.count == (isWarned ? 1 : 0))
        if let warning = warnings.first {
            #expect(warning.description.hasPrefix("relayd.yaml:4: accepted-domains: recipients of a.example are not"))
        }
        #expect(try self.loader("queue: {shards: 64}").load().warnings(at: Self.today).isEmpty)
    }

    @Test(
        "A share of staged bytes for strangers that is smaller than a message is warned of (field A5)",
        arguments: [
            ("max-staged-bytes: 1GiB", "0.0.0.0:25", false), ("max-staged-bytes: 199MiB", "0.0.0.0:25", true),
            ("max-staged-bytes: 200MiB", "0.0.0.0:25", false), ("max-staged-bytes: 0", "0.0.0.0:25", false),
            ("max-database-size: 799MiB", "0.0.0.0:25", true), ("max-database-size: 800MiB", "0.0.0.0:25", false),
            ("max-staged-bytes: 1MiB", "127.0.0.1:25", false),
        ])
    func smallShare(_ setting: String, _ address: String, _ isWarned: Bool) throws {
        let yaml = """
            smtp: {listeners: [{name: mx, address: "\(address)"}]}
            queue: {\(setting)}
            """
        let warnings = try self.loader(yaml).load().warnings(at: Self.today).map(\.description)
        #expect(warnings.count == (isWarned ? 1 : 0))
        #expect(warnings.allSatisfy { $0.contains("larger messages are refused with 552") })
    }

    @Test("Every kind of value is read, and what is shown loads as the same values")
    func everyKind() throws {
        let yaml = """
            smtp:
              listeners:
                - {name: mx, address: "[::1]:2525", hostname: mx.example.org}
              max-message-size: 10MiB
            accepted-domains:
              - {domain: a.example, next-hop: "[2001:db8::1]:2525"}
              - {domain: b.example, next-hop: mail.b.example}
              - {domain: c.example}
            relay-networks: [192.0.2.0/24]
            retry:
              schedule: [1s, 1h30m]
              destinations: [{domain: "*.slow.example", schedule: [1h], delay-notice: 0s}]
            resolver:
              options: {do-not-query-localhost: "no", local-zone: 'test. nodefault'}
              stubs: [{zone: test, servers: ["127.0.0.1:5353"]}]
              unvalidated-domains: [{domain: broken.example, reason: "their DS is wrong", until: 2028-02-29}]
            delivery: {insecure-mx: encrypt}
            """
        let configuration = try self.loader(yaml).load().configuration
        #expect(configuration.smtp.listeners[0].address.description == "[::1]:2525")
        #expect(configuration.smtp.maxMessageSize == .mebibytes(10))
        let hops = configuration.acceptedDomains.map { $0.nextHop?.settingText ?? "mx" }
        #expect(hops == ["[2001:db8::1]:2525", "mail.b.example:25", "mx"])
        #expect(configuration.retry.schedule == [.seconds(1), .seconds(5400)])
        #expect(configuration.retry.destinations.map(\.domain.description) == ["*.slow.example"])
        #expect(configuration.resolver.options["local-zone"] == "test. nodefault")
        #expect(configuration.delivery.insecureMX == .encrypt)
        #expect(
            configuration.resolver.unvalidatedDomains.map(\.until.start.description) == ["2028-02-29T00:00:00.000Z"])
        let printed = ConfigurationText.defaults(configuration)
        #expect(try self.loader(printed).load().configuration == configuration)
    }

    @Test(
        "A mistake names file, line, key and what was meant (hostile-input 41)",
        arguments: [
            ("queue:\n  shard: 8", "relayd.yaml:2: queue.shard: unknown key; did you mean queue.shards?"),
            ("\nque: {}", "relayd.yaml:2: que: unknown key; did you mean queue?"),
            (
                "smtp:\n  listeners:\n    - address: 127.0.0.1:25\n      adress: x",
                "relayd.yaml:4: smtp.listeners[0].adress: unknown key; did you mean address?"
            ),
            ("queue:\n  shards: 3", "relayd.yaml:2: queue.shards: expected power of two, 1 to 4096, found \"3\""),
            (
                "drain:\n\n  timeout: soon",
                "relayd.yaml:3: drain.timeout: expected duration such as 15m or 24h, 1s to 1h, found \"soon\""
            ),
            ("smtp: 3", "relayd.yaml:1: smtp: expected a mapping, found \"3\""),
            ("queue:\n  shards: 8\n  shards: 8", "relayd.yaml:3: shards: the key is there twice"),
            (
                "tls:\n  certificates:\n    - {certificate: a}", "relayd.yaml:3: tls.certificates[0]: key is missing"
            ),
            (
                "queue:\n  lease-renewal: 9s",
                "relayd.yaml:2: queue.lease-renewal: must be at most half of queue.lease-ttl"
            ),
            (
                "accepted-domains: [{domain: a.b}, {domain: A.b}]",
                "relayd.yaml:1: accepted-domains: a.b is there twice"
            ),
        ])
    func mistakes(_ yaml: String, _ message: String) throws {
        #expect(self.problems(try self.loader(yaml)) == [message])
    }

    @Test(
        "A domain that is not validated needs a reason and a day that exists (field D9)",
        arguments: [
            ("{domain: a.example, until: 2027-01-31}", "reason is missing"),
            ("{domain: a.example, reason: x}", "until is missing"),
            ("{domain: a.example, reason: x, until: 2027-02-29}", "found \"2027-02-29\""),
            ("{domain: a.example, reason: x, until: 2027-1-31}", "found \"2027-1-31\""),
            ("{domain: a.example, reason: x, until: never}", "found \"never\""),
        ])
    func unvalidatedDomains(_ entry: String, _ complaint: String) throws {
        let problems = self.problems(try self.loader("resolver: {unvalidated-domains: [\(entry)]}"))
        #expect(problems.count == 1)
        #expect(problems.first?.contains(complaint) == true, "\(problems)")
    }

    @Test("A warning names each domain that is not validated, why, and until when (field D9)")
    func unvalidatedWarnings() throws {
        let entry = "{domain: a.example, reason: their DS is wrong, until: 2027-01-31}"
        let loaded = try self.loader("resolver: {unvalidated-domains: [\(entry)]}").load()
        let end = try #require(CalendarDay("2027-01-31")).start
        let place = "relayd.yaml:1: resolver.unvalidated-domains[0]: "
        #expect(
            loaded.unvalidatedDomains(at: end + .milliseconds(-1)).map(\.description) == [
                place
                    + "whatever is said of a.example and the names below it is believed without DNSSEC until 2027-01-31: "
                    + "their DS is wrong"
            ])
        #expect(
            loaded.unvalidatedDomains(at: end).map(\.description) == [
                place + "ended on 2027-01-31, and has no effect: their DS is wrong"
            ])
        let none = try self.loader().load()
        #expect(none.unvalidatedDomains(at: end).isEmpty)
    }

    @Test("All mistakes are reported at once, and text that is not YAML is a mistake with a line")
    func several() throws {
        #expect(self.problems(try self.loader("a: 1\nqueue: {shards: 0}")).count == 2)
        let problem = try #require(self.problems(try self.loader("queue:\n  shards: [1")).first)
        #expect(problem.hasPrefix("relayd.yaml:") && problem.contains("not YAML"))
    }

    @Test("Flags override the environment, that overrides credentials, those the file, and that the defaults")
    func precedence() throws {
        var loader = try self.loader("database:\n  connection: file")
        func connection() throws -> (String, String?) {
            let loaded = try loader.load()
            return (loaded.configuration.database.connection, loaded.sources["database.connection"]?.description)
        }
        var (value, source) = try connection()
        #expect(value == "file" && source == "relayd.yaml:2")
        loader.credentials["database.connection"] = .init(path: "/run/c", text: "credential: #x\n")
        (value, source) = try connection()
        #expect(value == "credential: #x" && source == "credential /run/c")
        loader.environment = ["RELAYD_DATABASE_CONNECTION": "environment", "PATH": "/bin"]
        (value, source) = try connection()
        #expect(value == "environment" && source == "environment RELAYD_DATABASE_CONNECTION")
        loader.flags = ["database.connection=password=secret"]
        (value, source) = try connection()
        #expect(value == "password=secret" && source == "flag --set")
        #expect(!ConfigurationText.effective(try loader.load()).contains("secret"))
    }

    @Test("Lists can be given in the environment, and an unknown name there is a mistake")
    func environment() throws {
        var loader = try self.loader()
        loader.environment = ["RELAYD_RELAY_NETWORKS": "[10.0.0.0/8, '::1']"]
        #expect(try loader.load().configuration.relayNetworks.map(\.description) == ["10.0.0.0/8", "::1/128"])
        loader.environment = ["RELAYD_QUEUE_SHARD": "8"]
        #expect(
            self.problems(loader)
                == ["environment RELAYD_QUEUE_SHARD: unknown key; did you mean RELAYD_QUEUE_SHARDS?"])
    }

    @Test("No two keys have the same name in the environment")
    func environmentNames() {
        let names = ConfigurationSchema.settings.map { RelaydConfiguration.schema.variable(of: $0.key) }
        #expect(Set(names).count == names.count)
    }

    @Test("Domains go through the given parser once, so that an IDNA converter can stand there")
    func internationalDomains() throws {
        var loader = try self.loader("accepted-domains: [{domain: bücher.example}]")
        #expect(self.problems(loader).count == 1)
        loader.dialect.domainName = { DomainName($0 == "bücher.example" ? "xn--bcher-kva.example" : $0) }
        #expect(try loader.load().configuration.acceptedDomains[0].domain.text == "xn--bcher-kva.example")
    }
}
