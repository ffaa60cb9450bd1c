import DeliveryQueue

/// The keys that say when mail that failed is tried again, and when it is given up.
extension ConfigurationSchema {
    private typealias Key = Setting<RelaydConfiguration>

    static let retry: [Setting<RelaydConfiguration>] = [
        Key(
            "retry.schedule", \.retry.schedule, waits(),
            "Waits between attempts; the last one repeats. A domain none of whose hosts can be used waits as a whole, and one message tries it at each step."
        ),
        Key(
            "retry.next-hop-schedule", \.retry.nextHopSchedule, .list(.duration(.milliseconds(10)...(day * 7))),
            "Waits before those of retry.schedule, for domains whose next hop is configured, unless a rule states a schedule. [] is none."
        ),
        Key(
            "retry.lifetime", \.retry.lifetime, lifetime(), "A message expires this long after its arrival."),
        Key(
            "retry.dane-schedule", \.retry.daneSchedule, .optional(waits()),
            "The waits after an attempt that failed for DANE or DNSSEC; retry.schedule unless given."),
        Key(
            "retry.dane-lifetime", \.retry.daneLifetime, lifetime(),
            "A message expires this long after its arrival if its last attempt failed for DANE or DNSSEC."),
        Key(
            "retry.delay-notice", \.retry.delayNotice, delayNotice(),
            "The sender is told once of the first attempt that fails so long after arrival, unless NOTIFY forbids it; 0 is never."
        ),
        Key(
            "retry.destinations", \.retry.destinations,
            .list(.object(rule, make: { RetryRule(DomainPattern(placeholder)) })),
            "Other times for mail to some recipient domains. domain is one, or *.domain for all below it, and the first rule counts. What a rule leaves out is as above; without dane-schedule its schedule holds for both."
        ),
    ]

    private static let rule: [Setting<RetryRule>] = [
        Setting("domain", \.domain, .domainPattern(), isRequired: true, "Recipient domains."),
        Setting("schedule", \.schedule, .optional(waits()), "Waits between attempts."),
        Setting("lifetime", \.lifetime, .optional(lifetime()), "Time until expiry."),
        Setting("dane-schedule", \.daneSchedule, .optional(waits()), "Waits after a failure of DANE or DNSSEC."),
        Setting("dane-lifetime", \.daneLifetime, .optional(lifetime()), "Time until expiry after one."),
        Setting("delay-notice", \.delayNotice, .optional(delayNotice()), "Time until the notice of delay; 0 is never."),
    ]

    private static func waits() -> ValueSyntax<[Duration]> {
        .list(.duration(.milliseconds(10)...(day * 7)), atLeast: 1)
    }

    private static func lifetime() -> ValueSyntax<Duration> { .duration(second...(day * 30)) }

    private static func delayNotice() -> ValueSyntax<Duration> { .duration(.zero...(day * 30)) }
}
