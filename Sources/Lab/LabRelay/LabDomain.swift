public import LabDNS
public import LabPeers

/// One recipient domain of a `LabRelay`: a zone, one MX host in it, and the peer behind that host.
///
/// ```swift
/// [.dane("bravo.test"), .forgedCertificate("forged.test"), .strippedSTARTTLS("stripped.test"),
///  .bogus("bogus.test"), .opportunistic("plain.test"), .cleartext("old.test")]
/// ```
public struct LabDomain: Sendable {
    /// What the MX host presents at STARTTLS.
    public enum Presents: Hashable, Sendable {
        /// The certificate whose TLSA record would be right, or `leaf`.
        case itsCertificate
        /// Another certificate for the same name, from the same CA, with another key.
        case forgedCertificate
        /// Nothing: it offers no STARTTLS.
        case nothing
    }

    /// The domain, such as `bravo.test`.
    public var name: String
    /// Whether its zone is signed, or how it is broken.
    public var condition: LabZone.Condition
    /// What its MX host presents.
    public var presents: Presents
    /// Whether a TLSA record 3 1 1 of its certificate stands in the zone.
    public var publishesTLSA: Bool
    /// How its MX host misbehaves.
    public var rules: [ScriptedRule]
    /// What its MX host keeps of what it takes.
    public var retention = ScriptedRetention.everything
    /// What its MX host presents instead of a certificate of the lab's, where the chain matters. A TLSA record is then one of
    /// `records`.
    public var leaf: TestPKI.Leaf?
    /// More records of the zone.
    public var records: [LabRecord] = []

    /// A domain.
    public init(
        _ name: String, _ condition: LabZone.Condition = .signed, presents: Presents = .itsCertificate,
        publishesTLSA: Bool, rules: [ScriptedRule] = []
    ) {
        self.name = name
        self.condition = condition
        self.presents = presents
        self.publishesTLSA = publishesTLSA
        self.rules = rules
    }

    /// Its one MX host.
    public var host: String { "mx.\(self.name)" }
}

extension LabDomain {
    /// All is well: signed, TLSA published, and the peer has the certificate that it names.
    public static func dane(_ name: String, rules: [ScriptedRule] = []) -> LabDomain {
        LabDomain(name, publishesTLSA: true, rules: rules)
    }

    /// TLSA is published, but whoever answers presents another certificate.
    public static func forgedCertificate(_ name: String) -> LabDomain {
        LabDomain(name, presents: .forgedCertificate, publishesTLSA: true)
    }

    /// TLSA is published, but STARTTLS is not offered, as if somebody had stripped it on the way.
    public static func strippedSTARTTLS(_ name: String) -> LabDomain {
        LabDomain(name, publishesTLSA: true, rules: [.withoutSTARTTLS])
    }

    /// The parent's DS record names another key, so no answer can be believed; the peer itself is in good order.
    public static func bogus(_ name: String) -> LabDomain {
        LabDomain(name, .wrongDelegationSigner, publishesTLSA: true)
    }

    /// Neither signed nor with TLSA: TLS with any certificate will do.
    public static func opportunistic(_ name: String) -> LabDomain { LabDomain(name, .unsigned, publishesTLSA: false) }

    /// Not signed, and the peer has no TLS at all.
    public static func cleartext(_ name: String) -> LabDomain {
        LabDomain(name, .unsigned, presents: .nothing, publishesTLSA: false)
    }
}

/// The MX host of a `LabDomain`, running.
public struct LabPeer: Sendable {
    /// The domain it serves.
    public let domain: LabDomain
    /// The server: what it saw and took.
    public let server: ScriptedPeer
    /// The host's right certificate, presented or not.
    public let leaf: TestPKI.Leaf
    /// The TLSA record in the zone, in short form such as `3 1 1 8c1f09...`, if there is one.
    public let tlsa: String?
}
