extension TransportPolicy {
    /// The words by which operators demand it.
    public enum Keyword: String, CaseIterable, Hashable, Sendable {
        case opportunistic, encrypt, dane, verify
    }
}
