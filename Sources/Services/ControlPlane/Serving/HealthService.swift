package import ControlAPI
package import GRPCCore
package import MailModel
import SwiftProtobuf

/// gRPC's health checks: whether this replica hears from its database, and is not shutting down.
package struct HealthService: GRPCHealth.SimpleServiceProtocol {
    private static let interval = Duration.seconds(1)

    private let services: Set<String>
    private let clock: any NodeClock
    private let isServing: @Sendable () -> Bool

    /// - Parameter services: those that can be asked about, beside the server as a whole.
    package init(services: Set<String>, clock: any NodeClock, isServing: @escaping @Sendable () -> Bool) {
        self.services = services
        self.clock = clock
        self.isServing = isServing
    }

    package func check(
        request: GRPCHealthCheckRequest, context: ServerContext
    ) async throws -> GRPCHealthCheckResponse {
        guard self.isKnown(request.service) else {
            throw RPCError(code: .notFound, message: "there is no service \(FieldChecks.shown(request.service))")
        }
        return self.response
    }

    package func watch(
        request: GRPCHealthCheckRequest, response: RPCWriter<GRPCHealthCheckResponse>, context: ServerContext
    ) async throws {
        var last: GRPCHealthCheckResponse?
        while !context.cancellation.isCancelled {
            let current = self.isKnown(request.service) ? self.response : .with { $0.status = .serviceUnknown }
            if current != last { try await response.write(current) }
            last = current
            try await self.clock.sleep(for: Self.interval)
        }
    }

    private func isKnown(_ service: String) -> Bool { service.isEmpty || self.services.contains(service) }

    private var response: GRPCHealthCheckResponse {
        .with { $0.status = self.isServing() ? .serving : .notServing }
    }
}
