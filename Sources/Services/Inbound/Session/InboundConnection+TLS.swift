import Admission
import MailModel
import NIOCore
import NodeState
import SMTPProtocol
import ServiceSupport
import TLSEngine
import Telemetry

extension InboundConnection {
    func startTLS(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        guard let certificates = self.environment.state.current.certificates else {
            // They went after the command was taken.
            _ = self.perform(self.session.shutDown("TLS is offered no more, try again later"), context)
            return
        }
        reply.serialise(into: &self.replies)
        self.flush(context)
        do {
            let handler = try TLSHandler.server(certificates.store)
            try context.pipeline.syncOperations.addHandler(handler, position: .before(self))
        } catch {
            self.isClosing = true
            return context.close(promise: nil)
        }
        self.handshakeStart = context.eventLoop.now
        // The TLS handler reads for itself now; this handler is fed again once the handshake is done.
        context.read()
    }

    func handshakeEnded(_ outcome: TLSServerOutcome, _ context: ChannelHandlerContext) {
        if let start = self.handshakeStart {
            self.environment.metrics.smtpdTLSHandshakeDuration.observe(Duration(context.eventLoop.now - start))
        }
        self.handshakeStart = nil
        // The reads of the handshake were TLS's own.
        self.isReading = false
        switch outcome {
        case .encrypted(let info):
            self.environment.metrics.smtpdTLSHandshakes.increment(
                .success, TLSVersionLabel(info.version), info.resumed ? .resumed : .full)
            self.authenticatedClient = info.client
            self.session.offersDSN = self.environment.state.current.policy.mayRelay(self.identity)
            self.session.tlsEstablished(TLSInfo(version: info.version, cipher: info.cipher))
            self.process(context)
        case .failed:
            self.environment.metrics.smtpdTLSHandshakes.increment(.failure, .none, .full)
            self.isClosing = true
        }
    }
}
