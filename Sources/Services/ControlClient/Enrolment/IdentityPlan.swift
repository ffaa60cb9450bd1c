package import ClusterModel
import Cryptography
package import MailModel

/// How a node comes to the certificate that it needs now (control 11, 12).
package struct IdentityPlan: Sendable {
    package enum Step: Sendable {
        /// It has a good one.
        case follow(ClusterCredential)
        /// Its own has expired: the old key may still get a new one.
        case comeBack(ClusterCredential)
        case enrol(JoinToken)
        /// An operator has to do something first; in words.
        case stuck(String)
    }

    package let nodeName: DomainName
    package let token: JoinToken?

    package init(nodeName: DomainName, token: JoinToken?) {
        self.nodeName = nodeName
        self.token = token
    }

    /// The next step.
    ///
    /// - Parameter refusal: why the controller did not take the old key back.
    package func step(_ stored: StateDirectory.Identity, refusal: String? = nil, at now: Timestamp) -> Step {
        switch stored {
        case .none: return self.enrol(orTell: "this node has no identity in its cluster yet")
        case .unusable(let reason): return self.enrol(orTell: reason)
        case .found(let credential):
            if let fault = self.fault(of: credential) { return fault }
            let end = credential.certificate.value.notAfter
            if now <= end { return .follow(credential) }
            guard let refusal else { return .comeBack(credential) }
            return self.enrol(
                orTell:
                    "the certificate of this node expired at \(end), and the controller does not renew it: \(refusal)")
        }
    }

    /// A credential that is not this node's.
    private func fault(of credential: ClusterCredential) -> Step? {
        let identity = credential.identity
        guard identity.role == .node, identity.name == self.nodeName.text else {
            return self.enrol(orTell: "the kept identity is \(identity), and this node is \(self.nodeName)")
        }
        guard let token, token.cluster != identity.cluster else { return nil }
        return .stuck(
            """
            the kept identity is of cluster \(identity.cluster), and the join token of cluster \(token.cluster): \
            remove the one that is wrong
            """)
    }

    private func enrol(orTell reason: String) -> Step {
        if let token { return .enrol(token) }
        return .stuck("\(reason): set control.join-token to a token that `relayctl node token` makes")
    }
}

extension ClusterCredential {
    /// When its holder asks for the next certificate: at half of its life.
    var renewAt: Timestamp {
        let (begin, end) = (self.certificate.value.notBefore, self.certificate.value.notAfter)
        return begin + (end - begin) / 2
    }
}
