import DANE

/// Which questions are asked past all caches: each at most once in a while, and not too many in all, since each takes a process.
struct FreshLookups {
    /// Between two of one question.
    static let pause = Duration.seconds(300)
    /// Within one such pause, of all questions together.
    static let most = 60
    /// At the same time.
    static let atOnce = 2

    private var begun: [DNSQuestion: ContinuousClock.Instant] = [:]
    private var underWay = 0

    /// Whether this question may be asked now; if so, `ended` is to follow.
    mutating func begin(_ question: DNSQuestion, at now: ContinuousClock.Instant) -> Bool {
        self.begun = self.begun.filter { now - $0.value < Self.pause }
        guard self.begun[question] == nil, self.begun.count < Self.most, self.underWay < Self.atOnce else {
            return false
        }
        self.begun[question] = now
        self.underWay += 1
        return true
    }

    /// One was answered, or was not.
    mutating func ended() { self.underWay -= 1 }
}
