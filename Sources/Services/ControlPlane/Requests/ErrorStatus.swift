import ControlStore
import Cryptography
import GRPCCore
package import Logging
import ServiceSupport

/// Makes statuses of errors. What a database or a library said goes to the log, and not to the client.
package struct ErrorStatus: Sendable {
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    func translating<Value>(_ method: MethodDescriptor, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as RPCError {
            throw error
        } catch let error as ControlStoreError {
            throw self.status(of: error, method)
        } catch is CancellationError {
            throw RPCError(code: .cancelled, message: "the call has ended")
        } catch {
            self.logger.error(
                "A call failed.",
                metadata: [
                    LogKey.event: "\(LogEventName.control.rawValue)", LogKey.action: "\(method)",
                    LogKey.reason: "\(error)",
                ])
            throw RPCError(code: .internalError, message: "the controller failed; its log says why")
        }
    }

    private func status(of error: ControlStoreError, _ method: MethodDescriptor) -> RPCError {
        if error.code == .unfit { return RPCError(code: .invalidArgument, message: error.message) }
        self.logger.warning(
            "The database did not serve a call.",
            metadata: [
                LogKey.event: "\(LogEventName.control.rawValue)", LogKey.action: "\(method)",
                LogKey.reason: "\(error)",
            ])
        switch error.code {
        case .unreachable, .busy:
            return RPCError(code: .unavailable, message: "the controller's database does not answer")
        case .staleAuthority:
            return RPCError(code: .unavailable, message: "the authority of the cluster has just changed: try again")
        default:
            return RPCError(code: .internalError, message: "the controller's database refused; its log says why")
        }
    }
}
