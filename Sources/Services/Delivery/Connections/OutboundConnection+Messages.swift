import MailModel
import NIOCore
import SMTPProtocol
import ServiceSupport

/// Messages over a connection that is open: one operation after the other, each answered once.
extension OutboundConnection {
    /// Offers the envelope.
    func begin(_ message: SMTPClientMessage, on eventLoop: any EventLoop) -> EventLoopFuture<Begun> {
        self.begin(on: eventLoop) { $0.begin(message) }
    }

    /// Asks whether the server takes a recipient; nothing is sent to it.
    func verify(_ recipient: ForwardPath, on eventLoop: any EventLoop) -> EventLoopFuture<Begun> {
        self.begin(on: eventLoop) { $0.verify(recipient) }
    }

    private func begin(
        on eventLoop: any EventLoop, _ transaction: (inout SMTPClientSession) -> SMTPClientAction
    ) -> EventLoopFuture<Begun> {
        let promise = eventLoop.makePromise(of: Begun.self)
        if case .over(let failure) = self.operation {
            promise.succeed(.ended(Ended(failure: failure)))
        } else {
            self.operation = .beginning(promise)
            self.hasProgressed()
            self.transactionEnd = eventLoop.now + TimeAmount(self.timeouts.transaction)
            self.perform(transaction(&self.session))
        }
        return promise.futureResult
    }

    /// Whether more content is of any use. Not where the server has decided, or the connection failed, as `finish` tells.
    var takesContent: Bool { if case .transferring = self.operation { self.session.takesContent } else { false } }

    /// Writes content; done when the transport has taken it, and without effect where it is of no use any more.
    func write(_ content: [UInt8], on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        guard self.takesContent, let context else { return eventLoop.makeSucceededVoidFuture() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.count + content.count / 32 + 32)
        self.session.encode(content.span, into: &bytes)
        self.timer?.arm(self.timeouts.dataBlock, notBeyond: self.transactionEnd)
        let written = context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: bytes)))
        return written.flatMapErrorThrowing { _ in }
    }

    /// Writes the final dot, or what stands for it, if `isPermitted` says so in this same turn; else gives the connection up
    /// because of `refusal`. Where the server has refused already, only its last words are waited for.
    func finish(
        on eventLoop: any EventLoop, orBecause refusal: String, isPermitted: () -> Bool
    ) -> EventLoopFuture<Ended> {
        let promise = eventLoop.makePromise(of: Ended.self)
        switch self.operation {
        case .over(let failure):
            promise.succeed(Ended(outcomes: self.session.recipientOutcomes, failure: failure))
        case .decided(let outcomes):
            self.operation = .none
            self.armTimer(afterProgress: true)
            promise.succeed(Ended(outcomes: outcomes))
        case .transferring where !self.takesContent:
            self.operation = .finishing(promise)
        case .none, .opening, .beginning, .transferring, .finishing:
            self.operation = .finishing(promise)
            self.hasProgressed()
            guard isPermitted() else {
                self.giveUp(refusal)
                break
            }
            guard let bytes = self.session.finishData() else {
                self.giveUp("the content is not as long as it was said to be")
                break
            }
            self.perform(.send(bytes))
        }
        return promise.futureResult
    }

    private func giveUp(_ reason: String) {
        _ = self.session.abandon()
        self.fail(HostFailure(.connectionLost, "given up by this node before the final dot: \(reason)"))
    }

    /// Tells whoever waits, or will ask.
    func messageDone(_ outcomes: [AttemptOutcome?]) {
        let operation = self.operation
        self.operation = .none
        switch operation {
        case .beginning(let promise): promise.succeed(.ended(Ended(outcomes: outcomes)))
        case .finishing(let promise): promise.succeed(Ended(outcomes: outcomes))
        case .transferring:
            self.operation = .decided(outcomes)
            // The server is owed the rest of what it refused, and will not get it: nothing of use can come any more.
            if self.session.stage == .finished { self.closeChannel() }
        case .none, .opening, .decided, .over: ()
        }
    }
}
