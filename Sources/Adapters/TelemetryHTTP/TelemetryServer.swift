import Hummingbird
import HummingbirdCore
public import Logging
import MailModel
import NIOCore
public import ServiceLifecycle
public import Telemetry

/// Serves `/metrics`, `/livez`, `/readyz` and `/startupz` over HTTP/1.1, until it is cancelled or shut down gracefully.
///
/// There is no TLS and no access control: bind it to loopback, which is the default, or to a management network.
/// Whoever reaches it can spend little of the node, and cannot keep others from its answers (`TelemetryLimits`). An
/// orchestrator that gets no answer from `/livez` would end the process.
public struct TelemetryServer: Service {
    private let host: String
    private let port: Int
    private let registry: MetricsRegistry
    private let page: @Sendable (_ verbose: Bool) -> HealthPage
    private let hasStarted: @Sendable () -> Bool
    private let logger: Logger
    private let limits: TelemetryLimits
    private let onRunning: @Sendable (Int) async -> Void

    /// A server at `host` and `port`; port 0 takes a free one. `onRunning` is told the port once it listens.
    public init<Check>(
        host: String, port: Int, registry: MetricsRegistry, health: HealthChecks<Check>, logger: Logger,
        onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.init(
            host: host, port: port, registry: registry, health: health, logger: logger, limits: TelemetryLimits(),
            onRunning: onRunning)
    }

    init<Check>(
        host: String, port: Int, registry: MetricsRegistry, health: HealthChecks<Check>, logger: Logger,
        limits: TelemetryLimits, onRunning: @escaping @Sendable (_ port: Int) async -> Void
    ) {
        self.host = host
        self.port = port
        self.registry = registry
        self.page = { HealthPage(health.checks, remarks: health.remarks, verbose: $0) }
        self.hasStarted = { health.hasStarted }
        self.logger = logger
        self.limits = limits
        self.onRunning = onRunning
    }

    /// Listens and serves.
    public func run() async throws {
        let limits = self.limits
        let onRunning = self.onRunning
        var application = Application(
            router: self.router(),
            server: HTTPServerBuilder { GuardedHTTPChannel(limits: limits, responder: $0) },
            configuration: ApplicationConfiguration(address: .hostname(self.host, port: self.port)),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) },
            logger: self.logger)
        // Hummingbird tells of each request, and of the errors that a shutdown makes, under its own names. What ends the server
        // is thrown.
        application.logger.logLevel = .critical
        try await application.run()
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        let (registry, page, hasStarted) = (self.registry, self.page, self.hasStarted)
        router.get("/metrics") { _, _ in
            Self.response(.ok, registry.exposition(), contentType: MetricsRegistry.contentType)
        }
        // Alive means that this very answer can be given; a broken dependency is no reason to restart the process.
        router.get("/livez") { _, _ in Self.response(.ok, "ok\n") }
        router.get("/readyz") { request, _ in
            let page = page(request.uri.queryParameters["verbose"] != nil)
            return Self.response(page.isReady ? .ok : .serviceUnavailable, page.text)
        }
        router.get("/startupz") { _, _ in
            hasStarted()
                ? Self.response(.ok, "ok\n") : Self.response(.serviceUnavailable, "starting\n")
        }
        return router
    }

    private static func response(
        _ status: HTTPResponse.Status, _ text: String, contentType: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

/// The text of `/readyz`: which checks fail, why, and what that stops; then `ok` or `not ready`. With `?verbose` also which
/// checks pass, in the manner of Kubernetes, and what else is remarkable.
struct HealthPage: Equatable {
    let isReady: Bool
    let text: String

    init<Check: HealthCheck>(
        _ checks: [(check: Check, status: HealthStatus)], remarks: [String] = [], verbose: Bool
    ) {
        self.isReady = checks.allSatisfy { if case .failing = $0.status { false } else { true } }
        let lines = checks.compactMap { check, status -> String? in
            switch status {
            case .passing: verbose ? "[+]\(check.rawValue) ok (a failure \(check.stops))\n" : nil
            // Reasons hold words of databases and name servers, which must not look like another line of ours.
            case .failing(let reason), .degraded(let reason):
                "[-]\(check.rawValue) failed: \(SafeText.escape(reason)) (\(check.stops))\n"
            }
        }
        let remarks = verbose ? remarks.map { "[ ]\(SafeText.escape($0))\n" } : []
        self.text = (lines + remarks).joined() + (self.isReady ? "ok\n" : "not ready\n")
    }
}
