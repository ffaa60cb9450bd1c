import MailModel
import NIOCore
import SMTPProtocol
import ServiceSupport

/// Questions of the session whose answers take time; nothing is read from the client meanwhile.
extension InboundConnection {
    func authenticate(_ credentials: SASLCredentials, _ context: ChannelHandlerContext) {
        let (authenticate, client) = (self.environment.authenticate, self.client)
        self.ask(
            context, refused: .unavailable, { await authenticate(credentials, client) },
            then: { $0.session.authenticationDecided($1) })
    }

    /// Runs `work` beside the event loop, and goes on with what the session makes of its answer.
    ///
    /// - Parameter refused: the answer when the node has too many questions under way, or is about to end.
    func ask<Answer: Sendable>(
        _ context: ChannelHandlerContext, refused: Answer, _ work: @escaping @Sendable () async -> Answer,
        then decide: @escaping (InboundConnection, Answer) -> SMTPServerAction
    ) {
        self.flush(context)
        self.isWaiting = true
        let (bound, promise) = (context.loopBound, context.eventLoop.makePromise(of: Answer.self))
        promise.futureResult.assumeIsolated().whenSuccess { answer in
            self.isWaiting = false
            guard !self.isClosing else { return }
            if self.perform(decide(self, answer), bound.value) { self.process(bound.value) }
        }
        if !self.environment.intake.supervisor.submit({ promise.succeed(await work()) }) { promise.succeed(refused) }
    }
}
