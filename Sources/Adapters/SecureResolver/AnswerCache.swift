import DNSModel
import MailModel

/// Answers with their end of life, bounded in number and bytes; a pure value that is told the time.
///
/// An entry lives from the moment it was stored until its lifetime is over, and not a moment before or after. A clock
/// that jumps back makes entries unusable rather than immortal. When the cache is full the oldest go first.
struct AnswerCache {
    private struct Entry {
        let answer: DNSAnswer
        let stored: Timestamp
        let expiry: Timestamp
        let cost: Int
    }

    let maximumEntries: Int
    let maximumBytes: Int
    private(set) var bytes = 0
    private(set) var evictions: UInt64 = 0
    private var entries: [DNSQuestion: Entry] = [:]
    private var order = AgeOrder<DNSQuestion>()

    /// An empty cache with these limits.
    init(maximumEntries: Int, maximumBytes: Int) {
        self.maximumEntries = maximumEntries
        self.maximumBytes = maximumBytes
    }

    /// The number of entries, expired ones that nobody asked for since included.
    var count: Int { self.entries.count }

    /// The answer to a question if there is one that is alive at `now`.
    mutating func answer(to question: DNSQuestion, at now: Timestamp) -> DNSAnswer? {
        guard let entry = self.entries[question] else { return nil }
        guard entry.stored <= now, now < entry.expiry else {
            self.remove(question)
            return nil
        }
        return entry.answer
    }

    /// The same without a change, for whoever only looks.
    func peek(_ question: DNSQuestion, at now: Timestamp) -> DNSAnswer? {
        self.entries[question].flatMap { $0.stored <= now && now < $0.expiry ? $0.answer : nil }
    }

    /// Until when the answer to a question is kept, if there is one.
    func expiry(of question: DNSQuestion, at now: Timestamp) -> Timestamp? {
        self.entries[question].flatMap { $0.stored <= now && now < $0.expiry ? $0.expiry : nil }
    }

    /// Keeps an answer for its lifetime from `now` on; without any lifetime it is not kept.
    mutating func store(_ timed: TimedAnswer, to question: DNSQuestion, at now: Timestamp) {
        self.remove(question)
        let cost = Self.cost(of: timed.answer, question)
        guard timed.lifetime > .zero, self.maximumEntries > 0, cost <= self.maximumBytes else { return }
        while self.entries.count >= self.maximumEntries || self.bytes + cost > self.maximumBytes,
            let oldest = self.order.takeOldest()
        {
            self.remove(oldest)
            self.evictions += 1
        }
        self.entries[question] = Entry(answer: timed.answer, stored: now, expiry: now + timed.lifetime, cost: cost)
        self.order.touch(question)
        self.bytes += cost
    }

    /// Forgets all of them.
    mutating func removeAll() {
        self.entries = [:]
        self.order = AgeOrder()
        self.bytes = 0
    }

    /// Forgets those of which `isOutdated` says so.
    mutating func removeAll(where isOutdated: (DNSQuestion, DNSAnswer) -> Bool) {
        for (question, entry) in self.entries where isOutdated(question, entry.answer) { self.remove(question) }
    }

    private mutating func remove(_ question: DNSQuestion) {
        guard let entry = self.entries.removeValue(forKey: question) else { return }
        self.bytes -= entry.cost
        self.order.remove(question)
    }

    /// An estimate of memory: the fixed part of an entry, and its names and data.
    private static func cost(of answer: DNSAnswer, _ question: DNSQuestion) -> Int {
        let fixed = 256 + question.name.text.utf8.count
        switch answer {
        case .found(let records, _, let aliases):
            return fixed + records.reduce(0) { $0 + Self.cost(of: $1) } + Self.cost(of: aliases)
        case .absent(_, _, let aliases):
            return fixed + Self.cost(of: aliases)
        case .failed(.bogus(let text)), .failed(.malformed(let text)), .failed(.excessive(let text)):
            return fixed + text.utf8.count
        case .failed:
            return fixed
        }
    }

    private static func cost(of names: [DomainName]) -> Int { names.reduce(0) { $0 + 32 + $1.text.utf8.count } }

    private static func cost(of record: DNSRecord) -> Int {
        switch record {
        case .mx(_, let exchange): 64 + (exchange?.text.utf8.count ?? 0)
        case .address, .delegationSigner: 64
        case .tlsa(let record): 64 + record.associationData.count
        case .alias(let name): 64 + name.text.utf8.count
        }
    }
}
