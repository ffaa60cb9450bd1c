/// What a self-test found out about the resolver itself: "we do not validate" is told apart from "they are bogus".
public enum ValidationStatus: Hashable, Sendable {
    /// The keys of the test zone came back secure.
    case validating
    /// They came back, but not secure: a wrong anchor, a wrong clock, or a forwarder that strips signatures.
    case notValidating(String)
    /// They did not come back.
    case unreachable(String)
}

extension ValidationStatus {
    /// Judges what came back to the question for a zone's DNSKEY records.
    init(_ outcome: QueryOutcome, keysOf zone: String) {
        switch outcome {
        case .answered(let raw) where raw.bogusReason != nil:
            // Nobody but us is to blame when the keys that we anchor trust in do not fit our anchor.
            self = .notValidating("the keys of \(zone) are bogus: \(raw.bogusReason ?? "")")
        case .answered(let raw) where raw.rcode != 0:
            self = .unreachable("RCODE \(raw.rcode) for the keys of \(zone)")
        case .answered(let raw):
            self = raw.isSecure ? .validating : .notValidating("the keys of \(zone) are not secure")
        case .timedOut:
            self = .unreachable("no answer in time for the keys of \(zone)")
        case .unavailable(let reason):
            self = .unreachable(reason)
        }
    }
}
