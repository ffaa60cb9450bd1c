import DANE
import MailModel
import TLSEngine
import TransportSecurity

/// A connection that may carry mail, and what it proved.
struct Established: Hashable, Sendable {
    let label: AuthenticationLabel
    /// What was agreed upon; `nil` in clear.
    var info: TLSConnectionInfo?
    var proof = PeerProof.none
    /// Authentication was owed until OpenSSL found each of the records unusable.
    var isWithoutUsableRecords = false
    /// Why there is no TLS although the host offers it.
    var abandonedTLS: AbandonedTLS?
    /// Why TLS was asked for without our name for the host in SNI.
    var rejectedName: AbandonedTLS?

    /// What the host proved by DANE, if that was asked.
    var peer: DANEAuthenticatedPeer? { if case .dane(let peer) = self.proof { peer } else { nil } }
}

extension AttemptEvent {
    /// What a handshake's outcome means for the attempt.
    init(_ outcome: TLSClientOutcome) {
        switch outcome {
        case .established(let proof, _): self = .established(proof)
        case .failed(let failure, _): self = .handshakeFailed(failure.reason)
        }
    }
}
