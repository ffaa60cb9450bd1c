import DANE

/// What a denial of DS says about the delegation (RFC 4035 §5.2, RFC 5155 §8.6 and §8.9).
extension DNSMessage {
    /// Whether this denial of DS, which libunbound judged so, proves that a zone without DS begins at `owner`.
    ///
    /// A *secure* denial does where it shows NS but no SOA at the name. An *insecure* one does where its zone leaves unsigned
    /// delegations out of its denials: that alone, and what it did not compute, keeps libunbound from calling a signed denial
    /// secure. (How often names were hashed is checked with every insecure answer.)
    func provesUnsignedDelegation(at owner: WireName, _ state: DNSSECState) -> Bool {
        let hashed = self.authority.filter { $0.type == DNSType.nsec3 }
        guard state == .secure else {
            return hashed.contains { $0.data.dropFirst().first.map { $0 & 1 == 1 } ?? false }
        }
        if let plain = self.authority.first(where: { $0.type == DNSType.nsec && $0.owner == owner }) {
            return TypeBitmap(nsec: plain.data)?.isUnsignedDelegation ?? false
        }
        // Which of several is the name's own only its hash would tell; a denial of what exists has but one.
        guard let only = hashed.first, hashed.count == 1 else { return false }
        return TypeBitmap(nsec3: only.data)?.isUnsignedDelegation ?? false
    }
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

    /// Name servers and neither a key to trust them by nor the start of a zone, which is what a delegation has on its upper side.
    var isUnsignedDelegation: Bool {
        self.contains(DNSType.ns) && !self.contains(DNSType.soa) && !self.contains(DNSQuestion.RecordType.ds.rawValue)
    }
}
