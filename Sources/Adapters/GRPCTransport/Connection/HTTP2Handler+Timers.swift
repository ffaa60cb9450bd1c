import NIOCore

extension HTTP2Handler {
    /// Runs `body` later, unless the connection has ended by then.
    func schedule(in time: TimeAmount, _ body: @escaping (HTTP2Handler) -> Void) {
        guard let loop = self.context?.eventLoop else { return }
        self.timers.append(loop.assumeIsolated().scheduleTask(in: time) { body(self) })
    }

    func handshakeTimeIsUp() {
        guard let context = self.context else { return }
        self.refuse("neither TLS nor HTTP/2 came about in time", context)
    }

    /// Ends the connection gracefully (control 22); open calls get the grace.
    func beginDrain(_ reason: String) {
        guard case .running(let flow) = self.state else {
            self.context?.close(promise: nil)
            return
        }
        guard self.drain.begin() else { return }
        self.note(reason)
        switch self.role {
        case .server:
            flow.session.announceShutdown()
            flow.session.ping(GracefulDrain.ping)
        case .client:
            // A client takes no streams, so that nothing is to be announced.
            _ = self.drain.acknowledged(GracefulDrain.ping)
        }
        self.drains(reason)
        self.schedule(in: self.settings.grace) { $0.context?.close(promise: nil) }
        self.pump()
    }

    /// Does what keepalive has due, and comes again.
    func checkKeepalive() {
        guard let context = self.context, case .running(let flow) = self.state else { return }
        let now = context.eventLoop.now
        switch self.keepalive?.check(at: now, hasCalls: self.streams.openCount > 0) {
        case nil: return
        case .wait(let until)?: self.checkKeepalive(at: until)
        case .ping(let until)?:
            flow.session.ping(0)
            self.pump()
            self.checkKeepalive(at: until)
        case .close?:
            self.tell(.failed(self.note("the peer gave no sign of life")))
            context.close(promise: nil)
        }
    }

    private func checkKeepalive(at moment: NIODeadline) {
        guard let loop = self.context?.eventLoop else { return }
        self.keepaliveTimer = loop.assumeIsolated().scheduleTask(deadline: moment) { self.checkKeepalive() }
    }
}
