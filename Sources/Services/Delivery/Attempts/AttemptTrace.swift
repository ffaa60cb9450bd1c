import DANE
import DNSModel
import DeliveryQueue
import Logging
import MailModel
import OrderedCollections
import QueueStore
import Routing
import SMTPProtocol
import ServiceSupport
import TLSEngine
import Telemetry
import TransportSecurity

/// The trace rows of one attempt: for each host that was tried one row, or one for each kind of outcome that it gave.
struct AttemptTrace {
    let entry: QueueEntry
    let report: AttemptReport
    let decision: EntryDecision
    let node: DomainName
    /// The domain is one that we accept mail for: a delivery is a transfer to its next hop.
    let isTransfer: Bool
    /// Whether the time of the next attempt is known: not during a suspension without an end.
    var hasNextAttempt = true

    /// One row, and what stands by itself in its log line.
    struct Line {
        let event: TraceEvent
        /// The code of the peer's reply.
        let replyCode: Int?
        /// Whether the host's TLSA records demanded something, or could not be looked up, or the operator demanded them; nothing
        /// where no host was found.
        var isDANERequired: Bool?
        /// The recipients would have been tried again, had the message been younger.
        let isExpiry: Bool
    }

    /// In the order in which the hosts were tried.
    var lines: [Line] {
        var undecided = Set(self.entry.recipients.indices)
        return self.report.tries.flatMap { attempt in
            var lines = self.answers(of: attempt)
            // Whoever has had a host's last word was not asked for any more.
            let concerned = undecided.filter { attempt.outcomes[$0] == nil }.sorted()
            // A connection that fails when everyone has an answer tells nothing more of the message.
            if let failure = attempt.failure, !concerned.isEmpty || attempt.outcomes.isEmpty {
                lines.append(self.failed(attempt, failure, concerned))
            }
            for (index, outcome) in attempt.outcomes where outcome.isLastWord { undecided.remove(index) }
            return lines
        }
    }

    /// A report that its sender does not get.
    func dropped(_ action: DeliveryStatusNotification.Action, _ refusal: ReportBudget.Refusal) -> Line {
        var event = TraceEvent(
            .drop, node: self.node.text, message: self.entry.key.message, domain: self.entry.key.domain,
            recipients: self.entry.sender, attempt: self.entry.attempts + 1)
        event.reason = "report-limit"
        let limit = refusal.rawValue.replacing("-", with: " ")
        event.reply = "no report (\(action.rawValue)) to the sender: the limit of reports for each \(limit)"
        return Line(event: event, replyCode: nil, isExpiry: false)
    }

    /// What a host answered for single recipients: one row for those with the same fate and the same reply.
    private func answers(of attempt: HostAttempt) -> [Line] {
        var recipientsByFate: OrderedDictionary<Fate, [Int]> = [:]
        for (index, outcome) in attempt.outcomes.sorted(by: { $0.key < $1.key }) {
            let fate = Fate(outcome: outcome, kind: self.kind(outcome, ofRecipient: index))
            recipientsByFate[fate, default: []].append(index)
        }
        return recipientsByFate.map { fate, recipients in
            var event = self.event(fate.kind, attempt, recipients: recipients)
            var replyCode: UInt16?
            switch fate.outcome {
            case .delivered(let acceptance):
                (event.reply, event.status, replyCode) = (acceptance.reply, acceptance.status, acceptance.replyCode)
            case .failed(let failure):
                // Given up with a code of class 5, also where the reply was a 4yz; and waiting with one of class 4.
                let told = fate.kind == .fail ? failure.madePermanent : failure.madeTransient
                (event.reply, event.status, replyCode) = (told.reply ?? told.text, told.status, told.replyCode)
                event.reason = told.reason.name
            }
            return Line(
                event: event, replyCode: replyCode.map { Int($0) }, isDANERequired: attempt.isDANERequired,
                isExpiry: self.isExpired(recipients))
        }
    }

    private func failed(_ attempt: HostAttempt, _ failure: HostFailure, _ concerned: [Int]) -> Line {
        let isGivenUp = !concerned.isEmpty && concerned.allSatisfy { self.isGivenUp($0, for: failure) }
        var event = self.event(isGivenUp ? .fail : .defer, attempt, recipients: concerned)
        let told = failure.told
        event.reason = told.reason.name
        event.status = isGivenUp ? told.madePermanent.status : told.status
        event.reply = failure.isStored ? "not tried: \(told.text)" : told.text
        return Line(
            event: event, replyCode: told.replyCode.map { Int($0) }, isDANERequired: attempt.isDANERequired,
            isExpiry: isGivenUp && self.isExpired(concerned))
    }

    /// Whether a recipient was given up for this failure of a host, and not for what another host said.
    private func isGivenUp(_ index: Int, for failure: HostFailure) -> Bool {
        switch self.decision.recipients[index] {
        case .bounce(_, .expired): true
        case .bounce(let told, .refused): told.reason == failure.failure
        case .delivered, .retry: false
        }
    }

    private func isExpired(_ recipients: [Int]) -> Bool {
        recipients.contains { index in
            if case .bounce(_, .expired) = self.decision.recipients[index] { true } else { false }
        }
    }

    /// What an answer of one host was in the end; another may have done better since, or said no for good.
    private func kind(_ outcome: AttemptOutcome, ofRecipient index: Int) -> TraceEvent.Kind {
        guard case .failed(let failure) = outcome else { return self.isTransfer ? .transfer : .send }
        if outcome.isLastWord { return .fail }
        switch self.decision.recipients[index] {
        case .bounce(_, .expired): return .fail
        // No host offers what the message needs.
        case .bounce(let told, .refused) where told.reason == failure.reason && failure.isPermanent: return .fail
        case .bounce, .delivered, .retry: return .defer
        }
    }

    private func event(_ kind: TraceEvent.Kind, _ attempt: HostAttempt, recipients: [Int]) -> TraceEvent {
        var event = TraceEvent(
            kind, node: self.node.text, message: self.entry.key.message, domain: self.entry.key.domain,
            recipients: TraceEvent.text(of: recipients.map { self.entry.recipients[$0].address }),
            attempt: self.entry.attempts + 1)
        event.mxHost =
            attempt.host?.name?.text ?? (attempt.failure?.isStored == true ? attempt.failure?.told.host : nil)
        event.address = attempt.address.map { "\($0)" }
        event.dnssec = (attempt.host?.states ?? attempt.routeStates).map {
            "mx=\($0.mx.rawValue) a=\($0.address.rawValue) tlsa=\($0.tlsa.rawValue)"
        }
        event.requirement = attempt.requirementLabel
        event.tlsVersion = attempt.tlsConnection?.version
        event.cipher = attempt.tlsConnection?.cipher
        event.tlsFailure = attempt.tlsFailure
        event.tlsMatch = attempt.established?.peer?.matched.presentation
        event.authentication = attempt.authentication
        event.duration = attempt.duration
        if kind == .defer, self.hasNextAttempt { event.nextAttempt = self.decision.nextAttempt }
        return event
    }
}

/// What those recipients of a host have in common that share a row.
private struct Fate: Hashable {
    let outcome: AttemptOutcome
    let kind: TraceEvent.Kind
}

extension HostAttempt {
    fileprivate var isDANERequired: Bool? {
        switch self.host?.requirement {
        case .authenticate, .encrypt, .unavailable: true
        case .opportunistic: self.policy == .dane
        case nil: nil
        }
    }

    /// What the host had to prove, or what was left of that when it came to the handshake.
    fileprivate var requirementLabel: String? {
        guard let host else { return nil }
        guard self.established?.isWithoutUsableRecords == true else { return host.requirementLabel(by: self.policy) }
        let rest = if case .verify(let verification) = self.policy { verification.label } else { "encrypt" }
        return "\(rest) (OpenSSL finds no TLSA record usable)"
    }
}

extension CertificateVerification {
    fileprivate var label: String { "verify \(self.name)" }
}

extension PlannedHost {
    /// What the host must prove, as traces say it: `authenticate`, `verify` and a name, `encrypt` or `opportunistic`.
    /// It is `dane` for a host that the operator demands DANE of and that has none. It is `unavailable` for one that
    /// could not be looked up. Authentication that rests on an unsigned MX says so (rule 7), as does an exception.
    func requirementLabel(by policy: TransportPolicy) -> String {
        switch AttemptRequirement.of(self, by: policy).map(\.tls) {
        case .success(.mustAuthenticate): self.trust == .insecureMX ? "authenticate (insecureMX)" : "authenticate"
        case .success(.mustVerify(let verification)): verification.label
        case .success(.mustEncrypt): "encrypt"
        case .success(.opportunistic): policy == .excepted ? "opportunistic (exception)" : "opportunistic"
        case .failure:
            if case .unavailable = self.requirement {
                "unavailable"
            } else if self.failure == nil {
                "dane"
            } else {
                "opportunistic"
            }
        }
    }
}

// MARK: - Log lines

extension AttemptTrace.Line {
    /// What came of DANE; nothing where it did not come to that.
    private var daneResult: DANEVerificationResult? {
        if self.event.authentication == .dane { return .verified }
        guard self.isDANERequired != false else { return nil }
        return self.event.reason.flatMap { DANEVerificationResult(rawValue: $0) }
    }

    /// The line as metadata of a log line, with whole addresses only where the operator wants them there.
    func logMetadata(of entry: QueueEntry, hasAddresses: Bool = false) -> Logger.Metadata {
        let event = self.event
        let name: LogEventName =
            switch event.kind {
            case .receive: .reception
            case .send, .transfer: .delivery
            case .defer: .transientFailure
            case .fail: self.isExpiry ? .expiration : .bounce
            // All that an owner drops is a report.
            case .drop: .rejection
            case .hold, .release, .retry: .admin
            }
        var metadata: Logger.Metadata = [
            LogKey.event: "\(name.rawValue)", LogKey.messageID: "\(event.message)",
            LogKey.recipientDomain: "\(event.domain)", LogKey.attempt: .stringConvertible(event.attempt),
        ]
        metadata.add(sender: entry.sender, isWhole: hasAddresses)
        metadata.add([
            (LogKey.mxHost, event.mxHost), (LogKey.mxAddress, event.address), (LogKey.dnssec, event.dnssec),
            (LogKey.requirement, event.requirement), (LogKey.tlsVersion, event.tlsVersion),
            (LogKey.cipher, event.cipher), (LogKey.tlsFailure, event.tlsFailure),
            (LogKey.tlsa, event.tlsMatch), (LogKey.reason, event.reason), (LogKey.reply, event.reply),
            (LogKey.enhanced, event.status.map { "\($0)" }),
            (LogKey.authentication, event.authentication?.rawValue),
            (LogKey.recipient, hasAddresses ? event.recipients : nil),
            (LogKey.daneResult, self.daneResult?.rawValue),
        ])
        let numbers: [(String, Int?)] = [
            (LogKey.code, self.replyCode),
            (LogKey.durationMilliseconds, event.duration.map { Int($0.wholeMicroseconds / 1000) }),
        ]
        for case (let key, let number?) in numbers { metadata[key] = .stringConvertible(number) }
        if let isRequired = self.isDANERequired { metadata[LogKey.daneRequired] = .stringConvertible(isRequired) }
        return metadata
    }
}
