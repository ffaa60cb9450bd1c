import Admission
import DeliveryQueue
import MailModel
import NodeState
import RelayConfiguration
import TLSEngine
import TestLiterals
import Testing

@testable import EdgeNode

/// The settings that say when mail is tried again, as the queue takes them.
@Suite("Settings of retrying")
struct RetrySettingsTests {
    private func load(_ yaml: String) throws -> RelaydConfiguration {
        var loader = ConfigurationLoader(hostName: "edge.example")
        loader.file = ConfigurationLoader.File(path: "relayd.yaml", text: yaml)
        return try loader.load().configuration
    }

    private func policy(_ yaml: String) throws -> RetryPolicy { try self.load(yaml).retryPolicy }

    /// The schedules of accepted domains.
    private func schedules(_ yaml: String) throws -> (DomainName) -> RetrySchedule {
        let configuration = try self.load(yaml)
        let (retries, policy) = (
            configuration.retryPolicy,
            try NodeState(configuration.stateContent(), LocalState(sites: configuration.siteLimits)).policy
        )
        return { retries[$0, hasNextHop: policy.hasNextHop($0)] }
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
        let schedule = try self.schedules(
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
        #expect(schedule("bravo.test").delays == steps && schedule("charlie.test").delays == steps)
        #expect(schedule("bravo.test").securityDelays == RetrySchedule.standard.securityDelays)
        #expect(schedule("delta.test") == .standard, "by MX")
        #expect(schedule("echo.test").delays == [.seconds(3600)], "a rule that states waits")
        #expect(schedule("foxtrot.test").delays == steps && schedule("foxtrot.test").lifetime == .seconds(3600))
    }

    @Test("The first steps of next hops can be changed, or left out (field B3)")
    func nextHopSchedule() throws {
        let domain = "accepted-domains: [{domain: bravo.test, next-hop: mail.bravo.test}]\n"
        #expect(try self.schedules(domain + "retry: {next-hop-schedule: []}")("bravo.test") == .standard)
        let own = try self.schedules(domain + "retry: {next-hop-schedule: [5s], schedule: [1m]}")("bravo.test")
        #expect(own.delays == [.seconds(5), .seconds(60)])
    }

    @Test(
        "What cannot be a rule is refused",
        arguments: ["{schedule: [1m]}", "{domain: a.test, schedule: []}", "{domain: a.test, lifetime: 0s}", "a.test"])
    func refused(_ rule: String) {
        #expect(throws: ConfigurationError.self) { try self.policy("retry: {destinations: [\(rule)]}") }
    }
}
