import Admission
import DeliveryQueue
import MailModel
import NIOCore
import NodeState
import OperatingSystem
import RouteLookup
import Routing
import SMTPProtocol
import ServiceSupport
import TransportSecurity

/// Asks the next hop of one domain about one recipient, host by host until one answers, with the same TLS that delivery
/// owes it. Its executor is one event loop, where its connections live too.
actor RecipientCallout {
    nonisolated let unownedExecutor: UnownedSerialExecutor

    /// The most bytes of a next hop's own words that a client is told.
    private static let maximumTextBytes = 200

    private let hosts: HostAccess
    private let time: any NodeClock
    private let eventLoop: any EventLoop
    /// A host has answered about the recipient, whatever it said.
    private(set) var hasHeard = false

    /// - Parameter hosts: its dialer is that of this one question.
    init(_ hosts: HostAccess, time: any NodeClock, on eventLoop: any EventLoop) {
        self.hosts = hosts
        self.time = time
        self.eventLoop = eventLoop
        self.unownedExecutor = eventLoop.executor.asUnownedSerialExecutor()
    }

    /// Asks; when the task is cancelled no further host is tried, and no slot is waited for.
    func ask(_ address: CallAheadAddress) async -> CallAheadVerdict {
        let customer = SiteCustomer(on: self.eventLoop)
        let sites = self.hosts.sites
        return await withTaskCancellationHandler {
            await self.ask(address, customer)
        } onCancel: {
            sites.withdraw(customer)
        }
    }

    private func ask(_ address: CallAheadAddress, _ customer: SiteCustomer) async -> CallAheadVerdict {
        let state = self.hosts.state.current
        guard case .success(var route) = await self.hosts.routes.route(to: address.nextHop) else {
            return .unsure
        }
        let site = state.site(hosts: route.hostNames, configured: address.nextHop.address)
        let policy = state.transport(to: address.domain, at: self.time.date)
        var allowance = AttemptAllowance()
        while !allowance.isSpent, !Task.isCancelled, let next = await route.next() {
            guard case .success(let host) = next,
                case .success(let requirement) = AttemptRequirement.of(host, by: policy)
            else {
                allowance.skipped(for: (try? next.get())?.failure)
                continue
            }
            for target in host.addressesToTry(
                ipv4First: self.hosts.egress.ipv4First, limit: AttemptAllowance.addressesPerHost)
            {
                guard !Task.isCancelled, allowance.takeAddress() else { return .unsure }
                let question = Question(
                    address: address,
                    demand: LinkDemand(host, requirement, nextHopDomain: address.domain, at: site, by: state),
                    target: target)
                if let verdict = await self.ask(question, at: site, customer) { return verdict }
            }
        }
        return .unsure
    }

    /// One address of one host, and what is asked there.
    private struct Question {
        let address: CallAheadAddress
        let demand: LinkDemand
        let target: IPAddress
    }

    /// The verdict of one host; `nil` where it gave none, and the next one is to be asked. Its slots are shared with deliveries.
    private func ask(
        _ question: Question, at site: ReceivingSite, _ customer: SiteCustomer
    ) async -> CallAheadVerdict? {
        while !Task.isCancelled {
            let target = self.hosts.target(question.target, question.demand.host.port)
            let opened = await self.hosts.sites.open(
                site, at: [target], for: customer, isPatient: true,
                whenFull: self.hosts.links.close(idleAt:))
            switch opened {
            // A connection of a delivery has a delivery's deadlines: it does not serve here.
            case .link: continue
            case .full, .withdrawn, .failed, .expired: return nil
            case .resting(let time): try? await self.time.sleep(for: time)
            case .slot(let slot):
                defer { slot.release() }
                let dialled = await self.hosts.dialer.dial(
                    question.demand, in: slot, on: self.eventLoop)
                switch dialled {
                case .success(let link): return await self.ask(question, over: link)
                // Others to the host work: wait until it takes one more.
                case .failure(let failure) where failure.isDisplaced: continue
                case .failure(let failure)
                where failure.isOfConnecting
                    && slot.refused(inSilence: failure.failure == .connectionTimeout) != nil:
                    continue
                case .failure: return nil
                }
            }
        }
        return nil
    }

    private func ask(_ question: Question, over link: PooledConnection) async -> CallAheadVerdict? {
        let path = ForwardPath.mailbox(question.address.mailbox)
        let answer = await link.connection.verify(path, on: self.eventLoop).value
        link.connection.quit()
        guard case .ended(let ended)? = answer, ended.failure == nil, let outcome = ended.outcomes.first ?? nil else {
            return nil
        }
        self.hasHeard = true
        switch outcome {
        case .delivered: return .exists
        case .failed(let failure) where outcome.isLastWord:
            return failure.isOfRecipient ? .unknown(Self.refusal(failure)) : .unsure
        // Another host may say more.
        case .failed: return nil
        }
    }

    private static func refusal(_ failure: DeliveryFailure) -> SMTPReply {
        // What a host said is printable ASCII already.
        SMTPReply(
            550, EnhancedStatusCode(.permanentFailure, 1, 1),
            "Recipient refused by the next host, which said: \((failure.reply ?? "").prefix(Self.maximumTextBytes))")
    }
}

extension DeliveryFailure {
    /// It speaks of the address or its mailbox (RFC 3463 §3.2, §3.3), and not of who asks, or of capacity that may
    /// come. Without a status its code tells.
    fileprivate var isOfRecipient: Bool {
        guard self.status.subject != 0 else { return [550, 551, 553].contains(self.replyCode) }
        return self.status.subject == 1 || self.status.subject == 2 && self.status.detail != 2
    }
}
