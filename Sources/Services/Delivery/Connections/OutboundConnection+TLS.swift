import Cryptography
import MailModel
import NIOCore
import SMTPProtocol
import TLSEngine
import TransportSecurity

extension OutboundConnection {
    /// Whether the session may go on in clear is for the requirement to say.
    func startTLSUnavailable(_ reply: RemoteReply?) {
        switch self.requirement.decide(.startTLSUnavailable, offering: self.offer) {
        case .deliver: self.perform(self.session.continueInClear())
        case .nextHost(let reason):
            _ = self.session.abandon()
            self.fail(HostFailure(startTLSUnavailable: reason, reply))
        case .retrySameHost(let offer):
            self.retry(offer, because: TLSFailure(.refusedByPeer, reply.map { "\($0)" } ?? "not offered"))
        }
    }

    func startTLS() {
        guard let context else { return }
        do {
            try context.pipeline.syncOperations.addHandler(self.makeTLSHandler(), position: .before(self))
        } catch {
            // Words of a library are for nobody who reads a report.
            let cause = (error as? TLSConfigurationError)?.message ?? "the connection has ended"
            self.fail(HostFailure(.tlsHandshakeFailed, "TLS could not be begun: \(cause)"))
        }
    }

    private func makeTLSHandler() throws(TLSConfigurationError) -> TLSHandler {
        do throws(TLSConfigurationError) {
            return try self.tlsHandler
        } catch  where error.code == .noUsableRecord {
            guard self.dropRecords() else { throw error }
            return try self.tlsHandler
        }
    }

    private var tlsHandler: TLSHandler {
        get throws(TLSConfigurationError) {
            try TLSHandler.client(
                self.tls, self.requirement.tls,
                serverName: self.offer == .withoutServerName ? nil : self.requirement.serverName)
        }
    }

    func handshakeEnded(_ outcome: TLSClientOutcome) {
        guard case .opening = self.operation else { return self.closeChannel() }
        // The verdict stands before the first byte of SMTP is sent over TLS.
        switch self.requirement.decide(AttemptEvent(outcome), offering: self.offer) {
        case .deliver(let label):
            self.established = Established(label: label)
            if case .established(let proof, let info) = outcome {
                (self.established.proof, self.established.info) = (proof, info)
            }
            self.established.isWithoutUsableRecords = self.isWithoutUsableRecords
            self.awaitsFirstReplyOverTLS = true
            let info = self.established.info
            self.perform(
                self.session.tlsEstablished(TLSInfo(version: info?.version ?? "", cipher: info?.cipher ?? "")))
        case .nextHost(let failure):
            self.fail(HostFailure(failure, outcome: outcome, requirement: self.requirement))
        case .retrySameHost(let offer):
            self.retry(offer, because: outcome.failure ?? TLSFailure(.internalError, "no TLS"))
        }
    }

    private func retry(_ offer: TLSOffer, because reason: TLSFailure) {
        guard case .opening(let promise) = self.operation else { return self.closeChannel() }
        self.operation = .over(HostFailure(.tlsHandshakeFailed, reason.text))
        self.closeChannel()
        promise.succeed(.retry(offer, because: reason))
    }

    /// TLS was asked for, and no reply has come over it.
    var isNegotiatingTLS: Bool {
        self.session.stage == .startTLS || self.session.stage == .handshake || self.awaitsFirstReplyOverTLS
    }

    /// The host has had its time to answer over TLS.
    func negotiationTimedOut() {
        let text = self.awaitsFirstReplyOverTLS ? "no reply over TLS in time" : "no answer to the TLS handshake in time"
        self.negotiationFailed(TLSFailure(.timedOut, text))
    }

    private func negotiationFailed(_ failure: TLSFailure) {
        self.awaitsFirstReplyOverTLS = false
        self.handshakeEnded(.failed(failure, refusedChain: []))
    }

    /// The peer sends no more. Until it has said something over TLS, its end refuses the handshake, with this reason.
    func connectionEnded(_ failure: TLSFailure) {
        guard self.awaitsFirstReplyOverTLS else { return self.perform(self.session.connectionClosed()) }
        self.negotiationFailed(failure)
    }

    /// What was asked for was TLS, and a reply over it: whatever came instead is a failed handshake.
    func sessionFailed(_ failure: SMTPClientFailure) {
        let told = HostFailure(failure, isTLSOwed: self.requirement.tls != .opportunistic)
        guard failure.endsTLSNegotiation || self.awaitsFirstReplyOverTLS else { return self.fail(told) }
        let reason =
            if case .connectionLost = failure { TLSFault.truncated } else { TLSFault.malformed }
        let text = self.awaitsFirstReplyOverTLS ? "what came first over TLS is no reply" : told.detail
        self.negotiationFailed(TLSFailure(reason, text))
    }
}

extension TLSClientOutcome {
    /// Why it failed, if it did.
    var failure: TLSFailure? { if case .failed(let failure, _) = self { failure } else { nil } }
}
