import Admission
import ClusterModel
import Cryptography
package import MailModel
import NodeState
package import Routing

/// What only the node itself can say of a state that its controller sends.
package struct NodeChecks: Sendable {
    /// The names in its greetings.
    package let servedNames: Set<DomainName>
    /// The listener of this node at a next hop, in words; `nil` where there is none.
    package let ownListener: @Sendable (NextHop) -> String?

    package init(servedNames: Set<DomainName>, ownListener: @escaping @Sendable (NextHop) -> String? = { _ in nil }) {
        self.servedNames = servedNames
        self.ownListener = ownListener
    }

    /// Why the node refuses to go from one state to this content.
    func fault(of content: NodeStateContent, replacing current: NodeState?) -> ResourceFault? {
        self.lastCertificate(of: current?.certificates, notIn: content.certificates) ?? self.ownNextHop(in: content)
    }

    /// A node does not give up a certificate that it presents while no other is for the same name (control 6).
    private func lastCertificate(
        of current: ServedCertificates?, notIn next: [NamedCertificate]
    ) -> ResourceFault? {
        guard let current else { return nil }
        if next.isEmpty {
            return ResourceFault(
                Self.key(current.names[0]), "this node presents it, and would have no certificate without it")
        }
        for name in self.servedNames.sorted() where !next.contains(where: { $0.certificate.covers(name) }) {
            guard let index = current.certificates.firstIndex(where: { $0.covers(name) }) else { continue }
            return ResourceFault(
                Self.key(current.names[index]),
                "this node presents it for \(name), and would have no certificate for that name: add another one first")
        }
        return nil
    }

    private static func key(_ name: String) -> ResourceKey? {
        let prefix = "\(ResourceType.certificate)/"
        guard name.hasPrefix(prefix) else { return nil }
        return ResourceKey(type: .certificate, name: String(name.dropFirst(prefix.count)))
    }

    /// Mail for such a domain would go round until it is refused.
    private func ownNextHop(in content: NodeStateContent) -> ResourceFault? {
        let found = content.domains.compactMap { domain, accepted in
            accepted.nextHop.flatMap(self.ownListener).map { (domain, $0) }
        }
        guard let (domain, listener) = found.min(by: { $0.0 < $1.0 }) else { return nil }
        return ResourceFault(
            ResourceKey(type: .domain, name: domain.text),
            "its next hop is the listener \(listener) of this node: mail would come back to it")
    }
}
