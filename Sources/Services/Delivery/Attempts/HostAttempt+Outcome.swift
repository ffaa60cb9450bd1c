import MailModel

extension [HostAttempt] {
    /// What the hosts of an attempt come to for one recipient; see `AttemptReport`.
    ///
    /// - Parameter isCutOff: hosts are left that would have been tried, but for us.
    func outcome(ofRecipient index: Int, isCutOff: Bool) -> AttemptOutcome {
        for attempt in self {
            guard let outcome = attempt.outcomes[index], outcome.isLastWord else { continue }
            return outcome.of(host: attempt.hostText)
        }
        if let lost = self.first(where: { $0.outcomes[index] == nil && $0.failure?.isAmbiguous == true }),
            let failure = lost.failure
        {
            return .failed(failure.told.of(host: lost.hostText))
        }
        for attempt in self {
            guard case .failed(let failure)? = attempt.outcomes[index], failure.reason == .remoteReply else { continue }
            return .failed(failure.of(host: attempt.hostText))
        }
        return .failed(self.mostTelling(ofRecipient: index, isCutOff: isCutOff))
    }

    private func mostTelling(ofRecipient index: Int, isCutOff: Bool) -> DeliveryFailure {
        let failed = self.compactMap { attempt in attempt.failure(ofRecipient: index).map { (attempt, $0) } }
        // A host that may yet take the message speaks before one that never will.
        let waiting = failed.filter { !$0.1.isPermanent }
        let candidates = waiting.isEmpty ? failed : waiting
        let name = FailureReason.mostTelling(of: candidates.map(\.1.reason)) ?? .noUsableRoute
        guard let (attempt, failure) = candidates.first(where: { $0.1.reason == name }) else {
            return DeliveryFailure(.noUsableRoute)
        }
        let told = failure.of(host: attempt.failure?.isStored == true ? failure.host : attempt.hostText)
        // Another host may do better, or exist.
        guard isCutOff, attempt.host != nil || attempt.address != nil, told.isPermanent else { return told }
        guard failure.reason == .noSuchHost else { return told.madeTransient }
        return DeliveryFailure(.noUsableRoute, attempt.failure?.detail ?? "").of(host: attempt.hostText)
    }
}

extension HostAttempt {
    /// What kept the host from answering for a recipient.
    fileprivate func failure(ofRecipient index: Int) -> DeliveryFailure? {
        switch self.outcomes[index] {
        case .failed(let failure)? where failure.reason != .remoteReply: failure
        case .delivered?, .failed?: nil
        case nil: self.failure?.told
        }
    }
}
