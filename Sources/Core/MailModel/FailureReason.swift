/// Every way in which a message fails to reach a host, under the one name that NDRs, metrics, traces and logs use.
///
/// Raw values are stored and must not change. The first four, and `dnsQueryFailed`, have the names and numbers that
/// Exchange Online gives them, for operators know those.
public enum FailureReason: String, Hashable, Sendable, CaseIterable {
    /// TLS is owed, but STARTTLS was not offered or was refused (rule 25).
    case startTLSNotSupported = "starttls-not-supported"
    /// A DANE-TA chain matched but has expired (rule 19), or a certificate that the operator wants verified has.
    case certificateExpired = "certificate-expired"
    /// The host did not prove itself by a usable TLSA record, for any other reason (rule 19).
    case tlsaInvalid = "tlsa-invalid"
    /// The operator wants the certificate verified, and it is for other names.
    case certificateHostMismatch = "certificate-host-mismatch"
    /// The operator wants the certificate verified, and none of the authorities stands behind it.
    case certificateNotTrusted = "certificate-not-trusted"
    /// TLS is owed, and the two sides could not agree on it (rule 21).
    case tlsHandshakeFailed = "tls-handshake-failed"
    /// A DNS answer failed validation, or a TLSA look-up failed in any way (rules 2 and 10).
    case dnssecInvalid = "dnssec-invalid"
    /// The DNS failed, and DNSSEC is not the reason.
    case dnsQueryFailed = "dns-query-failed"
    /// The remote server said no in SMTP. Its own code goes into reports; ours is only the fallback.
    case remoteReply = "remote-reply"
    /// The remote server does not offer what the message needs, such as 8BITMIME; it was not asked.
    case unsupportedByHost = "unsupported-by-host"
    /// The remote server does not speak SMTP as it should.
    case protocolViolation = "protocol-violation"
    /// The connection ended, or fell silent, in the middle of a session.
    case connectionLost = "connection-lost"
    /// Nothing answered in time.
    case connectionTimeout = "connection-timeout"
    /// The host, or a router before it, refused the connection.
    case connectionRefused = "connection-refused"
    /// No network path leads to the host's address.
    case hostUnreachable = "host-unreachable"
    /// This system itself could not open a connection: our fault, which is never held against the destination.
    case localNetwork = "local-network"
    /// A host of the domain has no address, as far as is known.
    case noUsableRoute = "no-usable-route"
    /// This system is itself the domain's best MX, or its MX hosts are at addresses of this machine only.
    case routingLoop = "routing-loop"
    /// The domain accepts no mail (RFC 7505).
    case nullMX = "null-mx"
    /// The domain does not exist.
    case noSuchDomain = "no-such-domain"
    /// The domain names mail servers, and provably none of them exists (RFC 5321 §5.1).
    case noSuchHost = "no-such-host"
    /// An operator gave the message up.
    case failedByOperator = "failed-by-operator"
    /// An operator has suspended deliveries to the domain.
    case suspendedByOperator = "suspended-by-operator"
}

extension FailureReason: CustomStringConvertible {
    public var description: String { self.name }
}

// MARK: - Codes

extension FailureReason {
    /// The name that NDRs, metrics and traces show.
    public var name: String { self.rawValue }

    /// The code of a bounce: at once if `isPermanent`, else when the message expires.
    public var permanentStatus: EnhancedStatusCode { self.status(.permanentFailure) }

    /// The code while the message is being retried.
    public var transientStatus: EnhancedStatusCode { self.status(.persistentTransientFailure) }

    /// Whether retrying is pointless, so that the message bounces at once.
    public var isPermanent: Bool {
        switch self {
        case .nullMX, .noSuchDomain, .noSuchHost, .routingLoop, .failedByOperator, .unsupportedByHost: true
        default: false
        }
    }

    /// Whether a message whose last attempt failed so expires after the DANE and DNSSEC lifetime (24 h) rather
    /// than the general one.
    public var isSecurityFailure: Bool {
        switch self {
        case .startTLSNotSupported, .certificateExpired, .certificateHostMismatch, .certificateNotTrusted, .tlsaInvalid,
            .tlsHandshakeFailed, .dnssecInvalid:
            true
        default: false
        }
    }

    /// Subjects and details of RFC 3463 §3, and of Exchange Online above 300.
    private func status(_ class: EnhancedStatusCode.Class) -> EnhancedStatusCode {
        switch self {
        case .startTLSNotSupported: EnhancedStatusCode(`class`, 7, 321)
        case .certificateExpired: EnhancedStatusCode(`class`, 7, 322)
        case .tlsaInvalid, .tlsHandshakeFailed, .certificateHostMismatch, .certificateNotTrusted:
            EnhancedStatusCode(`class`, 7, 323)
        case .dnssecInvalid: EnhancedStatusCode(`class`, 7, 324)
        case .dnsQueryFailed: EnhancedStatusCode(`class`, 4, 312)
        case .remoteReply: EnhancedStatusCode(`class`, 0, 0)
        case .unsupportedByHost: EnhancedStatusCode(`class`, 3, 3)
        case .protocolViolation: EnhancedStatusCode(`class`, 5, 0)
        case .connectionLost: EnhancedStatusCode(`class`, 4, 2)
        case .connectionTimeout, .connectionRefused, .hostUnreachable: EnhancedStatusCode(`class`, 4, 1)
        case .localNetwork: EnhancedStatusCode(`class`, 4, 0)
        case .noUsableRoute, .noSuchHost: EnhancedStatusCode(`class`, 4, 4)
        case .routingLoop: EnhancedStatusCode(`class`, 4, 6)
        case .nullMX: EnhancedStatusCode(`class`, 1, 10)
        case .noSuchDomain: EnhancedStatusCode(`class`, 1, 2)
        case .failedByOperator: EnhancedStatusCode(`class`, 7, 0)
        case .suspendedByOperator: EnhancedStatusCode(`class`, 3, 2)
        }
    }
}

// MARK: - Reporting

extension FailureReason {
    /// The default line of an NDR or trace, such as `starttls-not-supported: …`; for the codes of Exchange Online in its words,
    /// which operators search for.
    public var text: String { "\(self.name): \(self.sentence)" }

    private var sentence: String {
        switch self {
        case .startTLSNotSupported: "Destination mail server must support TLS to receive mail."
        case .certificateExpired: "Destination mail server's certificate is expired."
        case .certificateHostMismatch: "Destination mail server's certificate is for another name."
        case .certificateNotTrusted: "Destination mail server's certificate is not trusted."
        case .tlsaInvalid: "The domain failed DANE validation."
        case .tlsHandshakeFailed: "TLS is required, and the destination mail server could not agree on it."
        case .dnssecInvalid: "Destination domain returned invalid DNSSEC records."
        case .dnsQueryFailed: "DNS query failed for the destination domain."
        case .remoteReply: "The destination mail server refused the message."
        case .unsupportedByHost: "The destination mail server does not support what the message needs."
        case .protocolViolation: "The destination mail server broke the SMTP protocol."
        case .connectionLost: "The connection to the destination mail server was lost."
        case .connectionTimeout: "The destination mail server did not answer in time."
        case .connectionRefused: "The destination mail server refused the connection."
        case .hostUnreachable: "No network path leads to the destination mail server."
        case .localNetwork: "The sending system could not open a connection."
        case .noUsableRoute: "No mail server of the destination domain has an address."
        case .routingLoop: "Mail for the destination domain would come back to this server."
        case .nullMX: "The destination domain accepts no mail."
        case .noSuchDomain: "The destination domain does not exist."
        case .noSuchHost: "None of the destination domain's mail servers exists."
        case .failedByOperator: "An operator of the sending system gave the message up."
        case .suspendedByOperator: "An operator of the sending system has suspended deliveries to the domain."
        }
    }

    /// The result type of a TLS report (RFC 8460 §4.3), where this is a matter for one.
    public var tlsReportResultType: String? {
        switch self {
        case .startTLSNotSupported, .certificateExpired, .certificateHostMismatch, .certificateNotTrusted, .tlsaInvalid,
            .dnssecInvalid:
            self.rawValue
        case .tlsHandshakeFailed: "validation-failure"
        default: nil
        }
    }

    /// Of the failures of all hosts, the one to report (rule 24). A DANE or DNSSEC verdict says more than a closed
    /// port; among equals the most preferred host counts. `nil` only for no failure at all.
    public static func mostTelling(of failures: some Sequence<FailureReason>) -> FailureReason? {
        failures.enumerated().min { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }?.element
    }

    /// Lower is more telling.
    private var rank: Int {
        switch self {
        // What a host itself showed comes first, as its operator can act on it.
        case .tlsaInvalid: 0
        case .certificateExpired, .certificateHostMismatch, .certificateNotTrusted: 1
        case .startTLSNotSupported: 2
        case .tlsHandshakeFailed: 3
        case .dnssecInvalid: 4
        case .remoteReply: 5
        case .unsupportedByHost, .protocolViolation: 6
        case .dnsQueryFailed: 7
        case .connectionLost: 8
        case .connectionTimeout, .connectionRefused: 9
        case .hostUnreachable: 10
        case .noUsableRoute, .routingLoop, .nullMX, .noSuchDomain, .noSuchHost, .failedByOperator: 11
        // What is ours says nothing of the destination.
        case .localNetwork, .suspendedByOperator: 12
        }
    }
}
