import Cryptography
import TransportSecurity

extension TLSHandler {
    /// What a complete handshake is worth: the event that opens the connection, or why it may not be used.
    func outcome() -> Result<TLSEvent, TLSFailure> {
        switch self.side {
        case .server:
            return .success(.serverHandshake(.encrypted(self.connection.info(isServer: true))))
        case .client(let requirement):
            let info = self.connection.info(isServer: false)
            return self.connection.proof(for: requirement)
                .map { .clientHandshake(.established($0, info)) }
                .mapError { TLSFailure($0.reason, $0.text, connection: info) }
        }
    }

    /// How the next handler learns of a failure in the present state; `nil` where it knows already.
    func event(for failure: TLSFailure) -> TLSEvent? {
        switch (self.state, self.side) {
        case (.handshaking, .server), (.idle, .server):
            .serverHandshake(.failed(failure))
        case (.handshaking, .client), (.idle, .client):
            .clientHandshake(.failed(failure, refusedChain: self.refusedChain(for: failure)))
        case (.open, _):
            .truncated(failure)
        case (.ended, _):
            nil
        }
    }

    /// The chain that no record matched. All others are copied for nobody.
    private func refusedChain(for failure: TLSFailure) -> [PeerCertificate] {
        guard case .client(.mustAuthenticate) = self.side, failure.reason.isOfChain else { return [] }
        return self.connection.peerChain()
    }
}
