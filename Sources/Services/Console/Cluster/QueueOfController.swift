import ControlAPI
package import DeliveryQueue
package import GRPCCore
package import GRPCTransport
package import MailModel
import QueueService
package import QueueStore
import SwiftProtobuf

/// A queue that is asked through a controller. Who acts is whom the credential names, so what commands say of the actor counts only
/// where the database is asked.
package struct QueueOfController: QueueOperations {
    /// The time that a scan of the whole queue has.
    private static let longPatience = Duration.seconds(600)

    private let queue: ControlQueueService.Client<GRPCClientTransport>

    /// A queue on a client that is connected.
    package init(client: GRPCClient<GRPCClientTransport>) { self.queue = .init(wrapping: client) }

    /// Asks the controller, and tells its failure as the program does.
    private func ask<Answer: Sendable>(
        within time: Duration? = ClusterConsole.patience, _ body: (CallOptions) async throws -> Answer
    ) async throws(ConsoleFailure) -> Answer {
        var options = CallOptions.defaults
        options.timeout = time
        do {
            return try await body(options)
        } catch {
            throw ConsoleFailure(controller: error)
        }
    }

    // MARK: - Looking

    package func now() async throws(ConsoleFailure) -> Timestamp {
        try await self.ask { try await self.queue.getQueueTime(.init(), options: $0).moment }
    }

    package func page(
        of selection: QueueSelection, after cursor: QueueCursor?, span: Int, order: QueueOrder
    ) async throws(ConsoleFailure) -> QueuePage {
        try await self.ask { options in
            try await self.queue.listEntries(
                .with {
                    $0.selection = ControlEntrySelection(selection)
                    $0.after = cursor?.text ?? ""
                    $0.span = UInt32(clamping: span)
                    $0.order = ControlEntryOrder(order)
                }, options: options
            ).page
        }
    }

    package func message(_ id: MessageID) async throws(ConsoleFailure) -> StoredMessage? {
        try await self.ask { options in
            try await self.queue.getMessage(.with { $0.message = "\(id)" }, options: options).stored
        }
    }

    package func trace(of message: MessageID) async throws(ConsoleFailure) -> [TraceEvent] {
        try await self.ask { options in
            try await self.queue.getTrace(.with { $0.message = "\(message)" }, options: options).trace
        }
    }

    package func read(
        _ message: StoredMessage, _ take: ([UInt8]) throws(ConsoleFailure) -> Bool
    ) async throws(ConsoleFailure) {
        let pieces = Handover<[UInt8]>()
        async let outcome = self.content(of: message.id, to: pieces)
        var failure: ConsoleFailure?
        for await piece in pieces.values {
            do throws(ConsoleFailure) {
                pieces.taken(wantsMore: try take(piece))
            } catch {
                failure = error
                pieces.taken(wantsMore: false)
            }
        }
        let result = await outcome
        if let failure { throw failure }
        try result.get()
    }

    private func content(of id: MessageID, to pieces: Handover<[UInt8]>) async -> Result<Void, ConsoleFailure> {
        defer { pieces.end() }
        do throws(ConsoleFailure) {
            try await self.ask(within: nil) { options in
                try await self.queue.readContent(.with { $0.message = "\(id)" }, options: options) { response in
                    for try await part in response.messages {
                        guard await pieces.give(Array(part.piece)) else { return }
                    }
                }
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    package func overview() async throws(ConsoleFailure) -> QueueOverview {
        try await self.ask { try await self.queue.getOverview(.init(), options: $0).overview }
    }

    package func census(domains: Int) async throws(ConsoleFailure) -> QueueCensus {
        try await self.ask(within: Self.longPatience) { options in
            try await self.queue.getCensus(.with { $0.domains = UInt32(clamping: domains) }, options: options).census
        }
    }

    package func shape(
        of states: Set<QueueListing.State>, domains: Int
    ) async throws(ConsoleFailure) -> QueueShape {
        try await self.ask(within: Self.longPatience) { options in
            try await self.queue.getShape(
                .with {
                    $0.states = states.map { ControlEntryState($0) }
                    $0.domains = UInt32(clamping: domains)
                }, options: options
            ).shape
        }
    }

    // MARK: - Changing

    package func count(
        _ action: QueueAction, _ selection: QueueSelection
    ) async throws(ConsoleFailure) -> QueueActionCount {
        try await self.ask(within: Self.longPatience) { options in
            try await self.queue.countAction(
                .with {
                    $0.action = ControlEntryAction(action)
                    $0.selection = ControlEntrySelection(selection)
                }, options: options
            ).count.count
        }
    }

    package func perform(
        _ action: QueueAction, on selection: QueueSelection, by actor: String, because reason: String?,
        progress: (Int) -> Void
    ) async throws(ConsoleFailure) -> QueueActionCount {
        let seen = Handover<Int>()
        let request = ControlPerformActionRequest.with {
            $0.action = ControlEntryAction(action)
            $0.selection = ControlEntrySelection(selection)
            if let reason { $0.reason = reason }
        }
        async let outcome = self.performed(request, telling: seen)
        for await number in seen.values {
            progress(number)
            seen.taken(wantsMore: true)
        }
        return try await outcome.get()
    }

    private func performed(
        _ request: ControlPerformActionRequest, telling seen: Handover<Int>
    ) async -> Result<QueueActionCount, ConsoleFailure> {
        defer { seen.end() }
        do throws(ConsoleFailure) {
            let count = try await self.ask(within: nil) { options in
                try await self.queue.performAction(request, options: options) { response in
                    var count = QueueActionCount()
                    for try await message in response.messages {
                        switch message.progress {
                        case .seen(let number): _ = await seen.give(Int(clamping: number))
                        case .count(let told): count = told.count
                        case nil: ()
                        }
                    }
                    return count
                }
            }
            return .success(count)
        } catch {
            return .failure(error)
        }
    }

    package func flush(_ flush: DNSFlush, by actor: String, because reason: String?) async throws(ConsoleFailure) {
        _ = try await self.ask { options in
            try await self.queue.flushDns(ControlFlushDnsRequest(flush, reason: reason), options: options)
        }
    }

    package func rules() async throws(ConsoleFailure) -> [QueueRule] {
        try await self.ask { options in
            try await self.queue.listRules(.init(), options: options).rules.map { try $0.rule }
        }
    }

    package func make(
        _ action: QueueRule.Action, _ scope: QueueRule.Scope, until end: QueueRuleEnd, by actor: String,
        because reason: String
    ) async throws(ConsoleFailure) -> QueueRule {
        try await self.ask { options in
            try await self.queue.makeRule(
                ControlMakeRuleRequest(action, scope, until: end, reason: reason), options: options
            ).rule.rule
        }
    }

    package func lift(_ ids: [Int64], by actor: String, because reason: String?) async throws(ConsoleFailure) {
        _ = try await self.ask { options in
            try await self.queue.liftRules(
                .with {
                    $0.ids = ids
                    if let reason { $0.reason = reason }
                }, options: options)
        }
    }
}

/// Hands values from one task to another one at a time: who gives waits until each is taken.
struct Handover<Value: Sendable>: Sendable {
    let values: AsyncStream<Value>
    private let given: AsyncStream<Value>.Continuation
    private let answers: AsyncStream<Bool>
    private let answered: AsyncStream<Bool>.Continuation

    init() {
        // Neither has more than one value at a time.
        (self.values, self.given) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (self.answers, self.answered) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Gives a value; whether another one is wanted.
    func give(_ value: Value) async -> Bool {
        self.given.yield(value)
        for await answer in self.answers { return answer }
        return false
    }

    /// Says that a value was taken.
    func taken(wantsMore: Bool) { self.answered.yield(wantsMore) }

    /// No further value comes.
    func end() { self.given.finish() }
}
