import ClusterModel
import Logging
import MailModel
import ServiceSupport

extension ControlClient {
    /// After a refusal: what comes from the controller tries again by itself.
    private static let dropRetry = Duration.seconds(30)

    /// Drops what the controller has not refreshed in its time, whether the controller is there or not (control 7).
    ///
    /// What the node cannot do without, its last certificate for instance, stays in force. That is told once.
    func dropEnded() async {
        var told: ResourceFault?
        while !Task.isCancelled {
            try? await self.time.sleep(for: told == nil ? .seconds(1) : Self.dropRetry)
            let (applied, now) = (self.applied, self.time.now)
            // Most times there is nothing to do.
            guard let end = applied.resources.nextEnd, end <= now else {
                told = nil
                continue
            }
            let outcome = await onOwnThread("control") {
                Result { () throws(ResourceFault) in try applied.dropEnded(at: now) }
            }
            switch outcome {
            case .success:
                told = nil
                self.metrics.applied(applied.resources)
                self.logger.notice("dropped what the controller did not refresh in its time")
            case .failure(let fault):
                if told != fault { self.tellKept(fault) }
                told = fault
            }
        }
    }

    private func tellKept(_ fault: ResourceFault) {
        self.metrics.count(fault.key.map { [$0.type] } ?? [], .refused)
        self.logger.error(
            "what the controller did not refresh in its time stays in force",
            metadata: ["resource": "\(fault.key.map { "\($0)" } ?? "")", "reason": "\(fault.reason)"])
    }
}
