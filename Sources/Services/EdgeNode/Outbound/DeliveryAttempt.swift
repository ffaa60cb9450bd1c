import DANE
import DeliveryQueue
import MailModel
import NIOCore
import QueueStore
import SMTPProtocol
import Telemetry
import TransportSecurity

/// One attempt to deliver one queue entry: its hosts in order, until one has answered for every recipient.
///
/// It runs on its destination's event loop, and keeps no more of the message in memory than one chunk.
struct DeliveryAttempt {
    let environment: DeliveryEnvironment
    let entry: QueueEntry
    let term: ShardTerm
    let dialer: Dialer

    /// Makes the attempt. `link` is a connection from an earlier message, and afterwards one for a later message.
    func run(over link: inout OutboundLink?) async -> AttemptReport {
        let started = ContinuousClock.now
        let nextHop = self.environment.nextHop(for: self.entry.key.domain)
        let route = await self.environment.routes.route(to: nextHop)
        guard case .plan(let plan) = route else {
            let failure = HostFailure(
                TransportFailure(route) ?? .noUsableRoute, SafeText.escape(route.explanation))
            let attempt = HostTry(
                routeStates: route.states, failure: failure, duration: ContinuousClock.now - started)
            return AttemptReport(tries: [attempt], recipients: self.entry.recipients.count)
        }
        let tries = await self.tryHosts(of: plan, over: &link)
        return AttemptReport(tries: tries, recipients: self.entry.recipients.count)
    }

    private func tryHosts(of plan: RoutePlan, over link: inout OutboundLink?) async -> [HostTry] {
        var tries: [HostTry] = []
        var addressesLeft = DeliveryEnvironment.addressesPerAttempt
        for host in plan.hosts {
            self.count(host)
            let requirement: AttemptRequirement
            switch AttemptRequirement.of(host) {
            case .failure(let skipped):
                tries.append(
                    HostTry(
                        host: host,
                        failure: HostFailure(skipped.reason, SafeText.escape(host.failure?.explanation ?? ""))))
                continue
            case .success(let required): requirement = required
            }
            for address in host.addressesToTry where addressesLeft > 0 {
                addressesLeft -= 1
                repeat {
                    let attempt = await self.tryAddress(
                        address, of: host, requirement, undecided: self.undecided(after: tries), over: &link)
                    tries.append(attempt)
                    if self.isOver(tries) { return tries }
                } while tries.last?.isCutShort == true
            }
        }
        return tries.isEmpty ? [HostTry(failure: HostFailure(.noUsableRoute))] : tries
    }

    /// The recipients for whom no host has answered yet.
    private func undecided(after tries: [HostTry]) -> [Int] {
        self.entry.recipients.indices.filter { index in !tries.contains { $0.outcomes[index] != nil } }
    }

    /// Nobody is left, the message may have been taken, or we may not go on.
    private func isOver(_ tries: [HostTry]) -> Bool {
        self.undecided(after: tries).isEmpty || tries.last?.failure?.isAmbiguous == true
            || tries.last?.isUnrecorded == true || !self.environment.leases.isHeld(self.term) || Task.isCancelled
    }

    // MARK: - One host

    private func tryAddress(
        _ address: IPAddress, of host: PlannedHost, _ requirement: AttemptRequirement, undecided: [Int],
        over link: inout OutboundLink?
    ) async -> HostTry {
        let started = ContinuousClock.now
        var attempt = HostTry(host: host, address: address)
        let domain = self.entry.key.domain
        if let warm = link, warm.serves(host, requirement, nextHopDomain: domain) {
            attempt.address = warm.address
            attempt.isWarm = true
            let failure = await self.transact(over: &link, &attempt, undecided)
            // That a connection went stale while it was idle, or that the host has had enough messages over it, says
            // nothing about the next one: dial anew.
            guard let failure, !failure.isAmbiguous, attempt.outcomes.isEmpty, !attempt.isUnrecorded,
                self.environment.leases.permitsFinalDot(self.term)
            else {
                attempt.failure = failure
                attempt.duration = ContinuousClock.now - started
                return attempt
            }
        }
        link?.connection.quit()
        link = nil
        attempt.address = address
        attempt.isWarm = false
        // What the old connection proved says nothing of the new one.
        attempt.established = nil
        switch await self.dialer.dial(address, of: host, requirement: requirement, nextHopDomain: domain) {
        case .failed(let failure): attempt.failure = failure
        case .linked(let linked):
            link = linked
            attempt.failure = await self.transact(over: &link, &attempt, undecided)
        }
        attempt.duration = ContinuousClock.now - started
        return attempt
    }

    /// Sends the message over `link`. Gives the reason if the host did not answer for everyone.
    private func transact(
        over link: inout OutboundLink?, _ attempt: inout HostTry, _ undecided: [Int]
    ) async -> HostFailure? {
        guard var current = link else { return HostFailure(.connectionLost) }
        attempt.established = current.established
        var transfer = MessageTransfer(
            environment: self.environment, entry: self.entry, term: self.term, eventLoop: self.dialer.eventLoop)
        let sent = await transfer.send(over: &current, to: undecided)
        attempt.isUnrecorded = sent.isVoid
        attempt.isCutShort = sent.isCutShort
        for (position, outcome) in sent.outcomes { attempt.outcomes[position] = outcome }
        link = current
        if !current.connection.isReady || current.isUsedUp(self.environment.settings) {
            current.connection.quit()
            link = nil
        }
        return sent.failure
    }

    private func count(_ host: PlannedHost) {
        let metrics = self.environment.metrics
        for judged in host.tlsa?.judged ?? [] {
            let record = judged.record
            metrics.tlsaRecords[
                LabelPair(
                    LabelPair(TLSAUsageLabel(record.usage), TLSASelectorLabel(record.selector)),
                    LabelPair(TLSAMatchingTypeLabel(record.matchingType), TLSAUsable(judged.judgement)))
            ].increment()
        }
        switch host.requirement {
        case .authenticate: metrics.daneDecisions.increment(.authenticate)
        case .encrypt: metrics.daneDecisions.increment(.encrypt)
        case .opportunistic: metrics.daneDecisions.increment(.opportunistic)
        case .unavailable: metrics.daneDecisions.increment(.unavailable)
        }
    }
}
