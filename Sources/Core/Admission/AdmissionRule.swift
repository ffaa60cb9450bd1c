/// The rule by which a client may send what it sends.
package enum AdmissionRule: Hashable, Sendable {
    /// It has proved by AUTH who it is.
    case user
    /// It has shown a certificate that the operator recognises, of this subject.
    case certificate(subject: String)
    /// It is in a network that may relay.
    case network(CIDRBlock)
    /// Mail for accepted domains is taken from anybody.
    case acceptedDomain

    /// Whether the client may send to domains that are not ours.
    package var mayRelay: Bool { self != .acceptedDomain }
}

extension AdmissionRule: CustomStringConvertible {
    /// As the log and the trace name it, such as `network 192.0.2.0/24`.
    package var description: String {
        switch self {
        case .user: "user"
        case .certificate(let subject): "certificate \(subject)"
        case .network(let block): "network \(block)"
        case .acceptedDomain: "accepted-domain"
        }
    }
}

extension InboundPolicy {
    /// The rule by which the client may send; what it has proved comes before where it is.
    package func rule(for client: ClientIdentity) -> AdmissionRule {
        if client.user != nil { return .user }
        if let subject = client.certificateSubject { return .certificate(subject: subject) }
        let network = self.relayNetworks.first { $0.contains(client.address) }
        return network.map { .network($0) } ?? .acceptedDomain
    }
}
