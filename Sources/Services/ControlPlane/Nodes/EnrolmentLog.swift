import GRPCCore
package import Logging
import ServiceSupport
package import Telemetry

/// How somebody came to a certificate.
package enum EnrolmentKind: String, MetricLabel {
    package static let labelName = "kind"
    case enrolment
    case comingBack = "coming_back"
    case renewal
}

/// What came of it.
package enum EnrolmentResult: String, MetricLabel {
    package static let labelName = "result"
    case issued, refused, throttled, failed
}

/// Counts enrolments, and has a line for each in the log.
package struct EnrolmentLog: Sendable {
    package typealias Labels = LabelPair<EnrolmentKind, EnrolmentResult>

    private let counter: Counter<Labels>
    private let logger: Logger

    package init(counter: Counter<Labels>, logger: Logger) {
        self.counter = counter
        self.logger = logger
    }

    /// Does it, and records what came of it.
    func recording<Value>(
        _ kind: EnrolmentKind, _ name: String, _ context: ServerContext, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            let value = try await body()
            self.counter.increment(kind, .issued)
            self.logger.info("A certificate was issued.", metadata: self.metadata(kind, name, context))
            return value
        } catch {
            let result = Self.result(of: error)
            self.counter.increment(kind, result)
            // Strangers cause it as often as they are let: such lines are for a search, not for attention.
            var metadata = self.metadata(kind, name, context)
            metadata[LogKey.reason] = "\((error as? RPCError)?.message ?? "\(type(of: error))")"
            self.logger.log(
                level: result == .failed ? .warning : .info, "No certificate was issued.", metadata: metadata)
            throw error
        }
    }

    private func metadata(_ kind: EnrolmentKind, _ name: String, _ context: ServerContext) -> Logger.Metadata {
        [
            LogKey.event: "\(LogEventName.enrolment.rawValue)", LogKey.action: "\(kind.rawValue)",
            LogKey.node: "\(name.prefix(253))", LogKey.client: "\(context.remotePeer)",
        ]
    }

    private static func result(of error: any Error) -> EnrolmentResult {
        switch (error as? RPCError)?.code {
        case .resourceExhausted?: .throttled
        case nil, .internalError?, .unavailable?: .failed
        default: .refused
        }
    }
}
