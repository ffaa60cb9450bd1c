/// What a self-test found out about the resolver itself: "we do not validate" is told apart from "they are bogus".
public enum ValidationStatus: Hashable, Sendable {
    /// The keys of the test zone came back secure.
    case validating
    /// They came back, but not secure: a wrong anchor, a wrong clock, or a forwarder that strips signatures.
    case notValidating(String)
    /// They did not come back.
    case unreachable(String)
}
