public import DANE

/// Judges record contents that only a certificate parser can judge.
public enum TLSAContent {
    /// Whether the association data of a record with matching type 0 is one whole certificate or public key (rule 13).
    ///
    /// Any data is harmless, of any length. For other matching types, and for unknown selectors, the answer is `false`:
    /// ask only about matching type 0.
    public static func parses(_ record: TLSARecord) -> Bool { false }
}
