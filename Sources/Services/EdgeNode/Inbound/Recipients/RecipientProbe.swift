import DANE
import MailModel
import NIOCore
import SMTPProtocol
import TransportSecurity

/// Asks the next hop of one domain about one recipient, host by host until one answers, with the same TLS that delivery
/// owes it. Its executor is one event loop, where its connections live too.
actor RecipientProbe {
    nonisolated let unownedExecutor: UnownedSerialExecutor

    /// The most bytes of a next hop's own words that a client is told.
    private static let maximumTextBytes = 200

    private let environment: DeliveryEnvironment
    private let eventLoop: any EventLoop

    /// - Parameter environment: its deadlines and channels are those of this one question.
    init(_ environment: DeliveryEnvironment, on eventLoop: any EventLoop) {
        self.environment = environment
        self.eventLoop = eventLoop
        self.unownedExecutor = eventLoop.executor.asUnownedSerialExecutor()
    }

    /// Asks; when the task is cancelled no further host is tried.
    func ask(_ address: CallAheadAddress) async -> CallAheadVerdict {
        let nextHop = self.environment.nextHop(for: address.domain)
        guard case .plan(let plan) = await self.environment.routes.route(to: nextHop) else { return .unsure }
        var addressesLeft = DeliveryEnvironment.addressesPerAttempt
        for host in plan.hosts {
            guard case .success(let requirement) = AttemptRequirement.of(host) else { continue }
            for target in host.addressesToTry where addressesLeft > 0 && !Task.isCancelled {
                addressesLeft -= 1
                if let verdict = await self.ask(address, at: target, of: host, requirement) { return verdict }
            }
        }
        return .unsure
    }

    /// The verdict of one host; `nil` when it did not get as far as that.
    private func ask(
        _ address: CallAheadAddress, at target: IPAddress, of host: PlannedHost, _ requirement: AttemptRequirement
    ) async -> CallAheadVerdict? {
        let dialer = Dialer(environment: self.environment, eventLoop: self.eventLoop)
        let dialled = await dialer.dial(target, of: host, requirement: requirement, nextHopDomain: address.domain)
        guard case .linked(let link) = dialled else { return nil }
        let answer = await link.connection.verify(.mailbox(address.mailbox), on: self.eventLoop).value
        link.connection.quit()
        guard case .done(let outcomes)? = answer, let outcome = outcomes.first else { return nil }
        switch outcome {
        case .accepted: return .exists
        case .refused(let reply): return .unknown(Self.refusal(reply))
        case .deferred, .surplus: return .unsure
        }
    }

    private static func refusal(_ reply: SMTPReply) -> SMTPReply {
        // The description is printable ASCII already.
        SMTPReply(
            550, EnhancedStatusCode(.permanentFailure, 1, 1),
            "Recipient refused by the next host, which said: \("\(reply)".prefix(Self.maximumTextBytes))")
    }
}
