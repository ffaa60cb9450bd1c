import DeliveryQueue
import MailModel
import SMTPProtocol

/// What the hosts of an attempt come to for one recipient. The first of these that there is counts:
///
/// 1. a host's last word, 2yz or 5yz: it is the last one that was asked for;
/// 2. a final dot without an answer, since the message may have been delivered;
/// 3. a host's 4yz, of several the first: what kept us from asking further hosts does not hide it;
/// 4. the most telling failure of all hosts (rule 24), of those first that may yet take the message. So what a host does not
///    offer is final only where no host offers it, and each was asked.
struct AttemptSummary {
    let tries: [HostAttempt]
    /// Hosts are left that would have been tried, but for us.
    let isCutOff: Bool

    func outcome(ofRecipient index: Int) -> RecipientOutcome {
        for attempt in self.tries {
            guard let outcome = attempt.outcomes[index], outcome.isLastWord else { continue }
            return RecipientOutcome(outcome, host: attempt.hostText)
        }
        if let lost = self.tries.first(where: { $0.outcomes[index] == nil && $0.failure?.isAmbiguous == true }),
            let failure = lost.failure
        {
            return .failed(failure.deliveryFailure(host: lost.hostText))
        }
        for attempt in self.tries {
            guard let outcome = attempt.outcomes[index], outcome.isNotNow else { continue }
            return RecipientOutcome(outcome, host: attempt.hostText)
        }
        return .failed(self.mostTelling(ofRecipient: index))
    }

    private func mostTelling(ofRecipient index: Int) -> DeliveryFailure {
        let failed = self.tries.compactMap { attempt in attempt.failure(ofRecipient: index).map { (attempt, $0) } }
        // A host that may yet take the message speaks before one that never will.
        let waiting = failed.filter { !$0.1.isPermanent }
        let candidates = waiting.isEmpty ? failed : waiting
        let name = FailureReason.mostTelling(of: candidates.map(\.1.failure)) ?? .noUsableRoute
        guard let (attempt, failure) = candidates.first(where: { $0.1.failure == name }) else {
            return HostFailure(.noUsableRoute).deliveryFailure(host: nil)
        }
        let told = failure.deliveryFailure(host: attempt.hostText)
        // Another host may do better, or exist.
        guard self.isCutOff, attempt.host != nil || attempt.address != nil, told.isPermanent else { return told }
        guard failure.failure == .noSuchHost else { return told.madeTransient }
        return HostFailure(.noUsableRoute, failure.detail).deliveryFailure(host: attempt.hostText)
    }
}

extension SMTPRecipientOutcome {
    /// The host said 4yz.
    fileprivate var isNotNow: Bool {
        switch self {
        case .deferred, .surplus: true
        case .accepted, .refused, .unsuitable: false
        }
    }
}

extension HostAttempt {
    /// What kept the host from answering for a recipient.
    fileprivate func failure(ofRecipient index: Int) -> HostFailure? {
        switch self.outcomes[index] {
        case .unsuitable(let limitation)?: HostFailure(limitation)
        case .accepted?, .deferred?, .refused?, .surplus?: nil
        case nil: self.failure
        }
    }
}
