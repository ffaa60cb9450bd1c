import MailModel
import NIOPosix
import OperatingSystem
import SMTPProtocol
import ServiceSupport

/// Explains refused chains on threads beside the event loops. The connection is over by then, so only its attempt waits.
struct RefusalExplainer: Sendable {
    /// Refusals that are being explained, or wait for it.
    static let limit = 16

    let time: any NodeClock
    private let workers = BoundedWorkers(on: .singleton, limit: Self.limit)

    /// The same failure with its reason in words. Where too many wait already, it stays as it is.
    func explain(_ failure: HostFailure) async -> HostFailure {
        guard let refused = failure.refused else { return failure }
        let refusal = await self.workers.run { [date = self.time.date] in DANERefusal(refused, at: date) }
        return failure.explained(by: refusal?.text ?? "too many refusals at once to explain this one")
    }
}
