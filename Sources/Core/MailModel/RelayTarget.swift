/// What a forward path asks this relay to do, whatever its spelling.
///
/// Policy reads this value and never the text of the address, so that no spelling makes an open relay.
public enum RelayTarget: Hashable, Sendable {
    /// The postmaster of this host.
    case postmaster
    /// Plainly `local@domain`: this is its domain, canonical in case and without a trailing dot.
    case domain(DomainName)
    /// The address holds a second destination, which this host or a later one might follow.
    case routed(DomainName, by: ExplicitRouting)
    /// `user@[192.0.2.1]`: neither MX nor DANE applies to it.
    case addressLiteral(IPAddress)
}

/// The ways in which an address can carry another destination (RFC 5321 §3.6.1, appendix C).
public enum ExplicitRouting: Hashable, Sendable {
    /// `<@relay:user@domain>`
    case sourceRoute
    /// `user%elsewhere@domain`
    case percent
    /// `elsewhere!user@domain`
    case bang
    /// `"user@elsewhere"@domain`
    case atInLocalPart
}

/// Whether one recipient may pass, and where to.
public enum RelayDecision: Hashable, Sendable {
    /// Take it for this domain.
    case relay(to: DomainName)
    /// Take it for this host's postmaster.
    case postmaster
    /// Refuse with this reply.
    case refuse(SMTPReply)
}

extension ForwardPath {
    /// The target of this path; a source route outweighs what its local part holds.
    public var relayTarget: RelayTarget {
        guard let mailbox = self.mailbox else { return .postmaster }
        switch mailbox.domain {
        case .literal(let address): return .addressLiteral(address)
        case .name(let domain):
            if case .sourceRouted = self { return .routed(domain, by: .sourceRoute) }
            let local = mailbox.localPart.utf8
            if local.contains(UInt8(ascii: "@")) { return .routed(domain, by: .atInLocalPart) }
            if local.contains(UInt8(ascii: "%")) { return .routed(domain, by: .percent) }
            if local.contains(UInt8(ascii: "!")) { return .routed(domain, by: .bang) }
            return .domain(domain)
        }
    }

    /// Decides whether this recipient may pass.
    ///
    /// Anyone may write to an accepted domain. Only a client that may relay can write elsewhere, or to an address that
    /// holds another destination. The next hop trusts us, and might follow `user%elsewhere@ours` where we do not. So
    /// does an address literal: it names a host of anybody's, and nothing could authenticate that.
    public func relayDecision(clientMayRelay: Bool, isAccepted: (DomainName) -> Bool) -> RelayDecision {
        let denied = SMTPReply(550, EnhancedStatusCode(.permanentFailure, 7, 1), "Relaying denied")
        switch self.relayTarget {
        case .postmaster: return .postmaster
        // The name under which a literal is stored is no name to write to.
        case .domain(let domain) where domain.isOfLiterals: return .refuse(denied)
        case .routed(let domain, _) where domain.isOfLiterals: return .refuse(denied)
        case .domain(let domain): return clientMayRelay || isAccepted(domain) ? .relay(to: domain) : .refuse(denied)
        case .routed(let domain, _): return clientMayRelay ? .relay(to: domain) : .refuse(denied)
        case .addressLiteral(let address):
            return clientMayRelay ? .relay(to: DomainName(literal: address)) : .refuse(denied)
        }
    }
}
