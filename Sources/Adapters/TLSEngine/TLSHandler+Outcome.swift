extension TLSHandler {
    /// What a complete handshake is worth: the event that opens the connection, or why it may not be used.
    func outcome() -> Result<TLSEvent, TLSFailure> {
        switch self.side {
        case .server:
            return .success(.serverHandshake(.encrypted(self.connection.info(isServer: true))))
        case .client(.encrypt), .client(.opportunistic):
            return .success(.clientHandshake(.encrypted(self.connection.info(isServer: false))))
        case .client(.verify(let verification)):
            let info = self.connection.info(isServer: false)
            return self.connection.verdict(verification).map { peer in
                .clientHandshake(.certified(peer, info))
            }.mapError { TLSFailure($0.reason, $0.text, connection: info) }
        case .client(.authenticate(let authentication)):
            let info = self.connection.info(isServer: false)
            return self.connection.verdict(authentication).map { peer in
                .clientHandshake(.verified(peer, info))
            }.mapError { TLSFailure($0.reason, $0.text, connection: info) }
        }
    }

    /// How the next handler learns of a failure in the present state; `nil` where it knows already.
    func event(for failure: TLSFailure) -> TLSEvent? {
        switch (self.state, self.side) {
        case (.handshaking, .server), (.idle, .server):
            .serverHandshake(.failed(failure))
        case (.handshaking, .client), (.idle, .client):
            .clientHandshake(.failed(failure, peerChain: self.connection.peerChain(isServer: false)))
        case (.open, _):
            .truncated(failure)
        case (.ended, _):
            nil
        }
    }
}
