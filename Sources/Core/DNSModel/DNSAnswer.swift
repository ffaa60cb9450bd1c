public import MailModel

/// A question that route planning asks of a validating resolver.
public struct DNSQuestion: Hashable, Sendable {
    /// The record types that relaying needs.
    public enum RecordType: UInt16, Hashable, Sendable, CaseIterable {
        /// IPv4 addresses.
        case a = 1
        /// The alias itself, not followed.
        case cname = 5
        /// Mail exchangers.
        case mx = 15
        /// IPv6 addresses.
        case aaaa = 28
        /// Delegation signers: whether a signed zone goes on below a name.
        case ds = 43
        /// TLSA records.
        case tlsa = 52
    }

    /// The name asked for.
    public let name: DomainName
    /// The type asked for.
    public let type: RecordType

    /// One question.
    public init(_ name: DomainName, _ type: RecordType) {
        self.name = name
        self.type = type
    }
}

/// Why a lookup gave no answer that may be acted upon. None of these ever means "no such record" (RFC 7672 §2.1.2).
public enum DNSFailure: Hashable, Sendable {
    /// Validation failed; the text is the validator's reason, for people.
    case bogus(String)
    /// SERVFAIL, also of a validator that cannot reach any server.
    case serverFailure
    /// REFUSED.
    case refused
    /// NOTIMP, or another RCODE than NOERROR and NXDOMAIN; the number is the RCODE.
    case unexpectedResponse(Int)
    /// No answer in time.
    case timeout
    /// Aliases in a loop, or more than `DNSLimits` allows.
    case tooManyAliases
    /// An answer that cannot be parsed, or holds more records than allowed where each of them counts.
    case malformed(String)
    /// Looking it up takes more than a look-up may, or ends the resolver that tries; the text names what was passed. Theirs.
    case excessive(String)
    /// The resolver itself cannot work at present (not validating, shut down, out of resources): our fault, not theirs.
    case resolverUnavailable(String)
}

/// Whether an answer is proven (RFC 4033 §5). Bogus and indeterminate answers are failures, not states of an answer.
public enum DNSSECState: Hashable, Sendable {
    /// Validated all the way from the trust anchor, every alias of the answer included.
    case secure
    /// Proven to be outside any chain of trust, at some name of the answer.
    case insecure
}

/// The RDATA of one record.
public enum DNSRecord: Hashable, Sendable {
    /// A mail exchanger; a `nil` exchange is the null MX, `MX 0 .` (RFC 7505).
    case mx(preference: UInt16, exchange: DomainName?)
    /// From A or AAAA.
    case address(IPAddress)
    /// A TLSA record, not yet judged. RDATA too short to be one is kept as an unusable record of empty data.
    case tlsa(TLSARecord)
    /// The target of an alias, only where CNAME itself was asked for.
    case alias(DomainName)
    /// A DS record: that a zone begins below here, and by which algorithms its key signs and is told (RFC 4034 §5.1).
    case delegationSigner(algorithm: UInt8, digestType: UInt8)
}

/// What a validating resolver says to one `DNSQuestion`.
public enum DNSAnswer: Hashable, Sendable {
    /// One or more records. `aliases` are the targets of the CNAMEs (or synthesised by DNAMEs) that were followed, in
    /// order: the last is the name that owns the records. One state covers the whole answer; what is secure
    /// up to where is learnt by asking for each CNAME.
    case found([DNSRecord], DNSSECState, aliases: [DomainName] = [])
    /// NODATA or NXDOMAIN; secure when the denial is proven.
    case absent(DNSAbsence, DNSSECState, aliases: [DomainName] = [])
    /// No usable answer.
    case failed(DNSFailure)
}

/// The ways in which a record can be absent.
public enum DNSAbsence: Hashable, Sendable {
    /// The name exists, but not this type.
    case noData
    /// Said of DS only: the denial proves that all below this name is unsigned. It shows a delegation without DS. Where
    /// a zone leaves such delegations out of its denials, it shows that there may be one (RFC 5155 §6, Opt-Out).
    case unsignedDelegation
    /// The name does not exist.
    case nameError
}
