public import DANE
public import DNSModel
public import MailModel

/// Why a next hop has no host to try.
public enum NoRoute: Error, Hashable {
    /// `MX 0 .`: the domain accepts no mail; permanent at once (RFC 7505 §3).
    case nullMX(DNSSECState)
    /// The domain does not exist (`nameError`), or has neither MX nor address (`noData`). Permanent at once, because
    /// bouncing misspelt addresses quickly is what senders expect; a denial that is not signed is proven to need no signature.
    case noSuchDomain(DNSAbsence, DNSSECState)
    /// No host is known.
    case failed(RouteFailure)
}

/// Why a route, or one host of it, cannot be used.
public enum RouteFailure: Hashable, Sendable {
    /// An answer that DNSSEC or DANE depends on failed: 4.7.324 (rules 2 and 10).
    case dnssecInvalid(DNSQuestion, DNSFailure)
    /// The DNS failed for a reason that is not DNSSEC's: 4.4.312.
    case dnsQueryFailed(DNSQuestion, DNSFailure)
    /// More aliases than `DNSLimits` allows.
    case overLimit(DNSQuestion, count: Int)
    /// A host without any address as far as was asked: of one family only, or one that the operator named.
    case noAddress(DomainName)
    /// An MX host that provably has none: both families are denied, and neither look-up failed (RFC 5321 §5.1).
    case noSuchHost(DomainName)
    /// This system is itself the best MX of the domain, or is this MX host.
    case routingLoop(DomainName)
    /// An MX host whose addresses are all loopback or unspecified.
    case loopback(DomainName)
}

extension RouteFailure {
    /// The look-ups were answered, and there is no address.
    public var isAbsence: Bool {
        switch self {
        case .noAddress, .noSuchHost: true
        case .dnssecInvalid, .dnsQueryFailed, .overLimit, .routingLoop, .loopback: false
        }
    }

    /// Our own resolver could not work: nothing was learnt about the domain, and nothing may be held against it.
    public var isOurResolvers: Bool {
        switch self {
        case .dnssecInvalid(_, .resolverUnavailable), .dnsQueryFailed(_, .resolverUnavailable): true
        default: false
        }
    }
}

/// One host and what it must prove.
public struct PlannedHost: Hashable, Sendable {
    /// The MX or configured name, before alias expansion; `nil` for an address literal.
    public let name: DomainName?
    /// The MX preference; 0 where there was no MX.
    public let preference: UInt16
    /// The port of the connection.
    public let port: UInt16
    /// Where to connect, IPv6 first; of the family that validated where only one did (rule 9). Empty with a `failure`.
    /// Never this system itself, unless the operator named it.
    public let addresses: [IPAddress]
    /// What a connection must prove.
    public let requirement: DANERequirement
    /// Why the host must be skipped, if it must.
    public let failure: RouteFailure?
    /// Whether DANE holds from the recipient's domain on.
    public let trust: RouteTrust
    /// The look-ups' states, for the trace.
    public let states: HostStates
    /// The secure TLSA RRset, judged record by record, if there is one.
    public let tlsa: TLSARecordSet?

    /// A host; planning makes them, and tests.
    public init(
        name: DomainName?, preference: UInt16 = 0, port: UInt16 = 25, addresses: [IPAddress],
        requirement: DANERequirement, failure: RouteFailure? = nil, trust: RouteTrust = .unprotected,
        states: HostStates = HostStates(mx: .notAsked), tlsa: TLSARecordSet? = nil
    ) {
        self.name = name
        self.preference = preference
        self.port = port
        self.addresses = addresses
        self.requirement = requirement
        self.failure = failure
        self.trust = trust
        self.states = states
        self.tlsa = tlsa
    }
}

extension PlannedHost {
    /// Whether a later plan of this host allows a connection to `address` under the same requirement. Records and addresses may
    /// have come in another order.
    public func isConfirmed(by later: PlannedHost, at address: IPAddress) -> Bool {
        later.failure == nil && self.port == later.port && later.addresses.contains(address)
            && self.requirement.demandsTheSame(as: later.requirement)
    }
}

extension DANERequirement {
    fileprivate func demandsTheSame(as other: DANERequirement) -> Bool {
        guard case .authenticate(let one) = self, case .authenticate(let another) = other else { return self == other }
        return Set(one.records) == Set(another.records) && one.baseDomain == another.baseDomain
            && one.referenceIdentifiers == another.referenceIdentifiers
    }
}

/// From where on a host's requirement can be trusted.
public enum RouteTrust: String, Hashable, Sendable {
    /// Every look-up from the next-hop domain to the TLSA RRset was secure.
    case endToEnd
    /// Secure TLSA records of a host that an insecure MX RRset named (rule 7): never to be called verified end to end.
    case insecureMX
    /// No DANE.
    case unprotected
}

/// What one look-up was worth.
public enum LookupState: String, Hashable, Sendable {
    /// An answer, validated.
    case secure
    /// Validated proof that there is no such record.
    case absent
    /// An answer, proven to be unsigned.
    case insecure
    /// Validation failed.
    case bogus
    /// No answer.
    case failed
    /// The question was not needed, or forbidden (rule 1).
    case notAsked

    init(_ state: DNSSECState) { self = state == .secure ? .secure : .insecure }

    init(_ failure: DNSFailure) {
        if case .bogus = failure { self = .bogus } else { self = .failed }
    }

    init(_ failure: RouteFailure) {
        switch failure {
        case .dnssecInvalid(_, let cause), .dnsQueryFailed(_, let cause): self.init(cause)
        case .overLimit, .noAddress, .noSuchHost, .routingLoop, .loopback: self = .failed
        }
    }
}

/// The states of the three look-ups for one host.
public struct HostStates: Hashable, Sendable {
    /// Of the MX RRset, or of its denial.
    public var mx: LookupState
    /// Of the addresses that are used.
    public var address: LookupState
    /// Of the TLSA RRset, or of its denial.
    public var tlsa: LookupState

    /// Three states.
    public init(mx: LookupState, address: LookupState = .notAsked, tlsa: LookupState = .notAsked) {
        self.mx = mx
        self.address = address
        self.tlsa = tlsa
    }
}

extension NoRoute {
    /// What the look-ups were worth where they led to no host; `nil` where that is not known of any.
    public var states: HostStates? {
        switch self {
        case .nullMX(let state), .noSuchDomain(_, let state): HostStates(mx: LookupState(state))
        case .failed(.dnssecInvalid(let question, let failure)), .failed(.dnsQueryFailed(let question, let failure)):
            question.type == .mx ? HostStates(mx: LookupState(failure)) : nil
        case .failed: nil
        }
    }
}
