import MailModel
import NIOCore
import SMTPProtocol
import TLSEngine
import TransportSecurity

extension OutboundConnection {
    func startTLS() {
        guard let context else { return }
        do {
            let handler = try TLSHandler.client(self.tls.context, self.tls.engineRequirement(self.requirement))
            try context.pipeline.syncOperations.addHandler(handler, position: .before(self))
        } catch {
            self.fail(HostFailure(.tlsHandshakeFailed, "\(error)"))
        }
    }

    func handshakeEnded(_ outcome: TLSClientOutcome) {
        guard case .opening(let promise) = self.operation else { return }
        // The verdict stands before the first byte of SMTP is sent over TLS.
        switch self.requirement.decide(AttemptEvent(outcome)) {
        case .deliver(let label):
            self.established = Established(label: label, outcome: outcome)
            let info = self.established.info
            self.perform(
                self.session.tlsEstablished(TLSInfo(version: info?.version ?? "", cipher: info?.cipher ?? "")))
        case .nextHost(let failure):
            self.fail(HostFailure(failure, outcome: outcome, requirement: self.requirement))
        case .retrySameHostInClear:
            let reason = outcome.failure ?? TLSFailure(.internalError, "no TLS")
            self.operation = .over(HostFailure(.tlsHandshakeFailed, reason.text))
            self.closeChannel()
            promise.succeed(.retryInClear(reason))
        }
    }
}
