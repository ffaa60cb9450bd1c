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

    @Test(
        "What cannot be a rule is refused",
        arguments: ["{schedule: [1m]}", "{domain: a.test, schedule: []}", "{domain: a.test, lifetime: 0s}", "a.test"])
    func refused(_ rule: String) {
        #expect(throws: ConfigurationError.self) { try self.policy("retry: {destinations: [\(rule)]}") }
    }
}
