package import ControlAPI
import DeliveryQueue
import Foundation
package import GRPCCore
import MailModel
package import QueueStore
import SwiftProtobuf

/// The queue as operators see and change it, on the database that the controller was given.
///
/// It adds nothing to what `QueueAdministration` does but the caller: who acts is whom the certificate names. Roles are checked before:
/// a viewer may call what reads but for `ReadContent`, an admin all.
package struct QueueServiceProvider: ControlQueueService.SimpleServiceProtocol {
    private static let pageEntries = 1...1_000
    private static let censusDomains = 1...1_000
    private static let shapeDomains = 1...100_000
    /// The most bytes of a reason.
    private static let reasonBytes = 1_000
    /// The most messages that a selection names.
    private static let messages = 100_000

    private let connection: QueueConnection?
    private let caller: @Sendable () throws(RPCError) -> String

    /// - Parameters:
    ///   - connection: to the queue's database; without one every method is refused.
    ///   - caller: who calls, for the record.
    package init(connection: QueueConnection?, caller: @escaping @Sendable () throws(RPCError) -> String) {
        self.connection = connection
        self.caller = caller
    }

    /// Asks the queue, and tells its failure as a status.
    private func ask<Answer>(
        _ body: (QueueAdministration) async throws(QueueStoreError) -> Answer
    ) async throws(RPCError) -> Answer {
        guard let connection else {
            throw RPCError(
                code: .failedPrecondition,
                message: "this controller has no queue: set its queue.connection, or ask the database with --connection"
            )
        }
        do throws(QueueStoreError) {
            return try await body(try await connection.queue())
        } catch {
            throw RPCError(error)
        }
    }

    private func reading<Value>(
        _ body: () throws(UnreadableQueueMessage) -> Value
    ) throws(RPCError) -> Value {
        do throws(UnreadableQueueMessage) {
            return try body()
        } catch {
            throw RPCError(code: .invalidArgument, message: error.description)
        }
    }

    private func selection(_ message: ControlEntrySelection) throws(RPCError) -> QueueSelection {
        guard message.messages.count <= Self.messages else {
            throw RPCError(code: .invalidArgument, message: "selection.messages: at most \(Self.messages)")
        }
        return try self.reading { () throws(UnreadableQueueMessage) in try message.selection }
    }

    private func reason(_ text: String?) throws(RPCError) -> String? {
        guard (text?.utf8.count ?? 0) <= Self.reasonBytes else {
            throw RPCError(code: .invalidArgument, message: "reason: at most \(Self.reasonBytes) bytes")
        }
        return text
    }

    private func messageID(_ text: String) throws(RPCError) -> MessageID {
        guard let id = MessageID(text) else {
            throw RPCError(code: .invalidArgument, message: "message: \(text.prefix(100)) is no id")
        }
        return id
    }
}

// MARK: - Looking

extension QueueServiceProvider {
    package func getQueueTime(
        request: ControlGetQueueTimeRequest, context: ServerContext
    ) async throws -> ControlGetQueueTimeResponse {
        ControlGetQueueTimeResponse(
            try await self.ask { (queue) throws(QueueStoreError) in try await queue.databaseTime() })
    }

    package func listEntries(
        request: ControlListEntriesRequest, context: ServerContext
    ) async throws -> ControlListEntriesResponse {
        let selection = try self.selection(request.selection)
        var cursor: QueueCursor?
        if !request.after.isEmpty {
            guard let read = QueueCursor(request.after) else {
                throw RPCError(code: .invalidArgument, message: "after: no place in the queue")
            }
            cursor = read
        }
        let (span, start) = (Self.pageEntries.nearest(Int(request.span)), cursor)
        let page = try await self.ask { (queue) throws(QueueStoreError) in
            try await queue.page(
                of: selection, after: start, span: span, isDetailed: true, order: request.order.order)
        }
        return ControlListEntriesResponse(page)
    }

    package func getMessage(
        request: ControlGetMessageRequest, context: ServerContext
    ) async throws -> ControlGetMessageResponse {
        let id = try self.messageID(request.message)
        return ControlGetMessageResponse(
            try await self.ask { (queue) throws(QueueStoreError) in try await queue.message(id) })
    }

    package func getTrace(
        request: ControlGetTraceRequest, context: ServerContext
    ) async throws -> ControlGetTraceResponse {
        let id = try self.messageID(request.message)
        return ControlGetTraceResponse(
            try await self.ask { (queue) throws(QueueStoreError) in try await queue.trace(of: id) })
    }

    package func readContent(
        request: ControlReadContentRequest, response: RPCWriter<ControlReadContentResponse>, context: ServerContext
    ) async throws {
        let id = try self.messageID(request.message)
        let reader = try await self.ask { (queue) throws(QueueStoreError) -> BodyReader? in
            guard let message = try await queue.message(id), message.finishedAt == nil else { return nil }
            return queue.content(of: message)
        }
        guard var reader else {
            throw RPCError(code: .notFound, message: "message \(id) is not in the queue")
        }
        do {
            while let piece = try await reader.next() {
                try await response.write(.with { $0.piece = Data(piece) })
            }
        } catch let error as QueueStoreError {
            guard error.code == .entryChanged else { throw RPCError(error) }
            throw RPCError(code: .notFound, message: "message \(id) was done with meanwhile")
        }
    }

    package func getOverview(
        request: ControlGetOverviewRequest, context: ServerContext
    ) async throws -> ControlGetOverviewResponse {
        ControlGetOverviewResponse(
            try await self.ask { (queue) throws(QueueStoreError) in try await queue.overview() })
    }

    package func getCensus(
        request: ControlGetCensusRequest, context: ServerContext
    ) async throws -> ControlGetCensusResponse {
        let domains = Self.censusDomains.nearest(Int(request.domains))
        return ControlGetCensusResponse(
            try await self.ask { (queue) throws(QueueStoreError) in try await queue.census(domains: domains) })
    }

    package func getShape(
        request: ControlGetShapeRequest, context: ServerContext
    ) async throws -> ControlGetShapeResponse {
        let states = try self.reading { () throws(UnreadableQueueMessage) in
            var states: Set<QueueListing.State> = []
            for state in request.states { states.insert(try state.state) }
            return states
        }
        let domains = Self.shapeDomains.nearest(Int(request.domains))
        return ControlGetShapeResponse(
            try await self.ask { (queue) throws(QueueStoreError) in
                try await queue.shape(of: states, domains: domains)
            })
    }

    package func countAction(
        request: ControlCountActionRequest, context: ServerContext
    ) async throws -> ControlCountActionResponse {
        let selection = try self.selection(request.selection)
        let action = try self.reading { () throws(UnreadableQueueMessage) in try request.action.action }
        let count = try await self.ask { (queue) throws(QueueStoreError) in try await queue.count(action, selection) }
        return .with { $0.count = ControlActionCount(count) }
    }

    package func listRules(
        request: ControlListRulesRequest, context: ServerContext
    ) async throws -> ControlListRulesResponse {
        let rules = try await self.ask { (queue) throws(QueueStoreError) in try await queue.rules() }
        return .with { $0.rules = rules.map { ControlQueueRule($0) } }
    }
}

// MARK: - Changing

extension QueueServiceProvider {
    package func performAction(
        request: ControlPerformActionRequest, response: RPCWriter<ControlPerformActionResponse>,
        context: ServerContext
    ) async throws {
        let selection = try self.selection(request.selection)
        let action = try self.reading { () throws(UnreadableQueueMessage) in try request.action.action }
        let reason = try self.reason(request.hasReason ? request.reason : nil)
        let actor = try self.caller()
        // What a slow client has not heard of is not kept for it: only the latest number counts.
        let (seen, send) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        async let told: Void = Self.tell(seen, response)
        let outcome: Result<QueueActionCount, RPCError>
        do throws(RPCError) {
            outcome = .success(
                try await self.ask { (queue) throws(QueueStoreError) in
                    try await queue.perform(action, on: selection, by: actor, because: reason) { send.yield($0) }
                })
        } catch {
            outcome = .failure(error)
        }
        send.finish()
        try await told
        let count = try outcome.get()
        try await response.write(.with { $0.count = ControlActionCount(count) })
    }

    private static func tell(
        _ seen: AsyncStream<Int>, _ response: RPCWriter<ControlPerformActionResponse>
    ) async throws {
        for await number in seen { try await response.write(.with { $0.seen = UInt64(clamping: number) }) }
    }

    package func flushDns(
        request: ControlFlushDnsRequest, context: ServerContext
    ) async throws -> ControlFlushDnsResponse {
        let flush = try self.reading { () throws(UnreadableQueueMessage) in try request.flush }
        let (actor, reason) = (try self.caller(), try self.reason(request.hasReason ? request.reason : nil))
        try await self.ask { (queue) throws(QueueStoreError) in
            try await queue.flush(flush, by: actor, because: reason)
        }
        return .init()
    }

    package func makeRule(
        request: ControlMakeRuleRequest, context: ServerContext
    ) async throws -> ControlMakeRuleResponse {
        let (action, scope) = try self.reading { () throws(UnreadableQueueMessage) in
            (try request.action.action, try QueueRule.Scope(message: request.scope))
        }
        let (actor, reason) = (try self.caller(), try self.reason(request.reason) ?? "")
        let rule = try await self.ask { (queue) throws(QueueStoreError) in
            try await queue.make(action, scope, until: request.ruleEnd, by: actor, because: reason)
        }
        return .with { $0.rule = ControlQueueRule(rule) }
    }

    package func liftRules(
        request: ControlLiftRulesRequest, context: ServerContext
    ) async throws -> ControlLiftRulesResponse {
        let (actor, reason) = (try self.caller(), try self.reason(request.hasReason ? request.reason : nil))
        _ = try await self.ask { (queue) throws(QueueStoreError) in
            try await queue.lift(request.ids, by: actor, because: reason)
        }
        return .init()
    }
}

extension RPCError {
    /// What the queue said. A database that does not answer is no fault of the call: it may work later.
    fileprivate init(_ error: QueueStoreError) {
        switch error.trouble {
        case .unreachable, .passing:
            self.init(code: .aborted, message: "the queue's database could not do it now: \(error.line)")
        case .denied:
            self.init(
                code: .failedPrecondition, message: "the controller's login lacks rights on the queue: \(error.line)")
        case .missingQueue, .unsuitable, .wrongVersion, .other:
            self.init(code: .failedPrecondition, message: error.line)
        }
    }
}

extension ClosedRange<Int> {
    /// The value itself, or the bound that it is beyond.
    fileprivate func nearest(_ value: Int) -> Int { Swift.min(Swift.max(value, self.lowerBound), self.upperBound) }
}
