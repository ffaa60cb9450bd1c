/// What a self-test found out about the resolver itself: "we do not validate" is told apart from "they are bogus".
public enum ValidationStatus: Hashable, Sendable {
    /// The SOA record of the test zone came back secure.
    case validating
    /// It came back, but not secure: a wrong anchor, a wrong clock, or a forwarder that strips signatures.
    case notValidating(String)
    /// It did not come back.
    case unreachable(String)
}

extension ValidationStatus {
    /// Judges what came back to the question for a name that a zone does not have.
    init(_ outcome: QueryOutcome, denialBelow zone: String) {
        switch outcome {
        case .answered(let raw) where raw.bogusReason != nil:
            self = .notValidating("a denial below \(zone) is bogus: \(raw.bogusReason ?? "")")
        case .answered(let raw) where raw.rcode != 0 && raw.rcode != 3:
            self = .unreachable("RCODE \(raw.rcode) for a name below \(zone)")
        case .answered(let raw):
            self = raw.isSecure ? .validating : .notValidating("a denial below \(zone) is not secure")
        case .timedOut: self = .unreachable("no answer in time for a name below \(zone)")
        case .unavailable(let reason), .excessive(let reason): self = .unreachable(reason)
        }
    }

    /// Judges what came back to the question for a zone's SOA record.
    init(_ outcome: QueryOutcome, startOf zone: String) {
        switch outcome {
        case .answered(let raw) where raw.bogusReason != nil:
            // Nobody but us is to blame when the zone that we anchor trust in fits neither our anchor nor our clock.
            self = .notValidating("the SOA of \(zone) is bogus: \(raw.bogusReason ?? "")")
        case .answered(let raw) where raw.rcode != 0:
            self = .unreachable("RCODE \(raw.rcode) for the SOA of \(zone)")
        case .answered(let raw):
            self = raw.isSecure ? .validating : .notValidating("the SOA of \(zone) is not secure")
        case .timedOut:
            self = .unreachable("no answer in time for the SOA of \(zone)")
        case .unavailable(let reason), .excessive(let reason):
            self = .unreachable(reason)
        }
    }
}
