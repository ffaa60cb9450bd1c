import DeliveryQueue
import MailModel
import RelayConfiguration

extension RelaydConfiguration {
    /// When mail is tried again, by recipient domain.
    var retryPolicy: RetryPolicy {
        RetryPolicy(
            self.retry.schedule(for: nil),
            rules: self.retry.destinations.map {
                RetryPolicy.Rule($0.domain, self.retry.schedule(for: $0), statesWaits: $0.schedule != nil)
            },
            firstWaits: self.retry.nextHopSchedule)
    }
}

extension RelaydConfiguration.Retry {
    /// The loader has checked that the waits are positive, so the schedule exists.
    fileprivate func schedule(for rule: RetryRule?) -> RetrySchedule {
        let notice = rule?.delayNotice ?? self.delayNotice
        let schedule = RetrySchedule(
            delays: rule?.schedule ?? self.schedule,
            securityDelays: rule?.daneSchedule ?? rule?.schedule ?? self.daneSchedule,
            securityLifetime: rule?.daneLifetime ?? self.daneLifetime, lifetime: rule?.lifetime ?? self.lifetime,
            delayNotice: notice > .zero ? notice : nil)
        return schedule ?? .standard
    }
}
