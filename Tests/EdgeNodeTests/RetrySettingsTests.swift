import DeliveryQueue
import Testing

@testable import EdgeNode

/// The settings that say when mail is tried again, as the queue takes them.
@Suite("Settings of retrying")
struct RetrySettingsTests {
    private func policy(_ yaml: String) throws -> RetryPolicy {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load().configuration.retryPolicy
    }

    @Test("Without settings every domain has the default schedule")
    func defaults() throws {
        #expect(try self.policy("")["bravo.test"] == .standard)
    }

    @Test("A failure of DANE or DNSSEC has waits of its own where they are given")
    func daneSchedule() throws {
        let schedule = try self.policy("retry: {schedule: [1h], dane-schedule: [5m, 10m]}")["bravo.test"]
        #expect(schedule.delay(afterFailures: 1, of: .general) == .seconds(3600))
        #expect(schedule.delay(afterFailures: 9, of: .security) == .seconds(600))
    }

    @Test("A rule for some domains changes what it states, and leaves the rest as it is")
    func rule() throws {
        let policy = try self.policy(
            """
            retry:
              lifetime: 3d
              dane-schedule: [2h]
              destinations:
                - {domain: vip.bravo.test, delay-notice: 0s}
                - {domain: "*.bravo.test", schedule: [1m], lifetime: 1h}
            """)
        let wanted = RetrySchedule(
            delays: [.seconds(60)], securityLifetime: .seconds(86_400), lifetime: .seconds(3600))
        #expect(policy["x.bravo.test"] == wanted, "its schedule holds for both classes")
        #expect(policy["vip.bravo.test"].delayNotice == nil, "the first rule counts")
        #expect(policy["vip.bravo.test"].lifetime == .seconds(3 * 86_400))
        #expect(policy["vip.bravo.test"].securityDelays == [.seconds(7200)])
        #expect(policy["bravo.test"].delays == [.seconds(900), .seconds(900), .seconds(3600)])
    }

    @Test("A configured next hop is tried again soon: 30 s, 1 min, 5 min, then the usual waits (field B3)")
    func nextHop() throws {
        let policy = try self.policy(
            """
            accepted-domains:
              - {domain: bravo.test, next-hop: "[192.0.2.1]:25"}
              - {domain: charlie.test, next-hop: mail.charlie.test}
              - {domain: delta.test}
              - {domain: echo.test, next-hop: mail.echo.test}
              - {domain: foxtrot.test, next-hop: mail.echo.test}
            retry:
              destinations:
                - {domain: echo.test, schedule: [1h]}
                - {domain: foxtrot.test, lifetime: 1h}
            """)
        let steps: [Duration] = [30, 60, 300, 900, 900, 3600].map { .seconds($0) }
        #expect(policy["bravo.test"].delays == steps && policy["charlie.test"].delays == steps)
        #expect(policy["bravo.test"].securityDelays == RetrySchedule.standard.securityDelays)
        #expect(policy["delta.test"] == .standard, "by MX")
        #expect(policy["echo.test"].delays == [.seconds(3600)], "a rule that states waits")
        #expect(policy["foxtrot.test"].delays == steps && policy["foxtrot.test"].lifetime == .seconds(3600))
    }

    @Test("The first steps of next hops can be changed, or left out (field B3)")
    func nextHopSchedule() throws {
        let domain = "accepted-domains: [{domain: bravo.test, next-hop: mail.bravo.test}]\n"
        #expect(try self.policy(domain + "retry: {next-hop-schedule: []}")["bravo.test"] == .standard)
        let own = try self.policy(domain + "retry: {next-hop-schedule: [5s], schedule: [1m]}")["bravo.test"]
        #expect(own.delays == [.seconds(5), .seconds(60)])
    }

    @Test(
        "What cannot be a rule is refused",
        arguments: ["{schedule: [1m]}", "{domain: a.test, schedule: []}", "{domain: a.test, lifetime: 0s}", "a.test"])
    func refused(_ rule: String) {
        #expect(throws: ConfigurationError.self) { try self.policy("retry: {destinations: [\(rule)]}") }
    }
}
