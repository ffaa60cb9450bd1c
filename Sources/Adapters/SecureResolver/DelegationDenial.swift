import DNSModel

/// What a denial of DS says about the delegation (RFC 4035 §5.2, RFC 5155 §8.6 and §8.9).
extension DNSMessage {
    /// Whether this denial of DS, which libunbound judged so, proves that a zone without DS begins at `owner`.
    ///
    /// A *secure* denial does where it shows NS but no SOA at the name. An *insecure* one does where its zone leaves
    /// unsigned delegations out of its denials. That alone, and what it did not compute, keeps libunbound from calling
    /// a signed denial secure. (How often names were hashed is checked with every insecure answer.)
    ///
    /// Behind an alias the denial is that of the alias's target, which may lie in a zone that needs no signatures. So an answer
    /// with an alias proves nothing, nor does a record of a zone that is not above `owner`.
    func provesUnsignedDelegation(at owner: WireName, _ state: DNSSECState) -> Bool {
        guard !self.answers.contains(where: { $0.type == DNSType.cname || $0.type == DNSType.dname }) else {
            return false
        }
        let hashed = self.authority.filter { $0.type == DNSType.nsec3 }
        guard state == .secure else {
            return hashed.contains { $0.optsOut && $0.isOfZone(above: owner) && self.isSigned($0) }
        }
        if let plain = self.authority.first(where: { $0.type == DNSType.nsec && $0.owner == owner }) {
            return TypeBitmap(nsec: plain.data)?.isUnsignedDelegation ?? false
        }
        // Which of several is the name's own only its hash would tell; a denial of what exists has but one.
        guard let only = hashed.first, hashed.count == 1, only.isOfZone(above: owner) else { return false }
        return TypeBitmap(nsec3: only.data)?.isUnsignedDelegation ?? false
    }

    /// Whether a signature by the record's own zone comes with this NSEC3 record. Whether it is right, libunbound judged.
    private func isSigned(_ denial: Record) -> Bool {
        self.authority.contains {
            $0.owner == denial.owner && $0.signedType == denial.type && $0.signer == denial.owner.parent
        }
    }
}

extension DNSMessage.Record {
    /// Whether this NSEC3 record may leave out unsigned delegations (RFC 5155 §3.1.2.1).
    fileprivate var optsOut: Bool { self.data.dropFirst().first.map { $0 & 1 == 1 } ?? false }

    /// Whether the zone of this NSEC3 record, whose owner is a hash below the zone's name, is above `name`.
    fileprivate func isOfZone(above name: WireName) -> Bool { self.owner.parent.map(name.isBelow) ?? false }

    /// The type that this RRSIG record signs (RFC 4034 §3.1); `nil` for other records.
    fileprivate var signedType: UInt16? {
        guard self.type == DNSType.rrsig, self.data.count >= 18 else { return nil }
        return self.data.prefix(2).reduce(0) { $0 << 8 | UInt16($1) }
    }

    /// The zone by whose key this RRSIG record is made; `nil` where its name ends early.
    fileprivate var signer: WireName? { WireName(uncompressed: self.data.dropFirst(18)) }
}

/// The types that a name has, as NSEC and NSEC3 list them (RFC 4034 §4.1.2); only the first 256, where all that matter are.
struct TypeBitmap: Equatable {
    private let bits: [UInt8]

    /// From RDATA of NSEC: the next name, uncompressed, and the types. `nil` where it ends early.
    init?(nsec data: ArraySlice<UInt8>) {
        var rest = data
        while let length = rest.popFirst(), length != 0 {
            guard length < 64, rest.count > Int(length) else { return nil }
            rest = rest.dropFirst(Int(length))
        }
        self.init(windows: rest)
    }

    /// From RDATA of NSEC3: algorithm, flags, iterations, salt, next hash, and the types (RFC 5155 §3.2).
    init?(nsec3 data: ArraySlice<UInt8>) {
        var rest = data.dropFirst(4)
        for _ in ["salt", "hash"] {
            guard let length = rest.popFirst(), rest.count >= Int(length) else { return nil }
            rest = rest.dropFirst(Int(length))
        }
        self.init(windows: rest)
    }

    private init?(windows: ArraySlice<UInt8>) {
        var rest = windows
        var first: [UInt8] = []
        while let window = rest.popFirst() {
            guard let length = rest.popFirst(), (1...32).contains(length), rest.count >= Int(length) else { return nil }
            if window == 0 { first = Array(rest.prefix(Int(length))) }
            rest = rest.dropFirst(Int(length))
        }
        self.bits = first
    }

    /// Whether the name has records of a type below 256.
    func contains(_ type: UInt16) -> Bool {
        let index = Int(type / 8)
        return self.bits.indices.contains(index) && self.bits[index] & (0x80 >> UInt8(type % 8)) != 0
    }

    /// Name servers, and neither a key to trust them by nor the start of a zone. A delegation has these on its upper
    /// side.
    var isUnsignedDelegation: Bool {
        self.contains(DNSType.ns) && !self.contains(DNSType.soa) && !self.contains(DNSQuestion.RecordType.ds.rawValue)
    }
}
