public import DNSModel
public import MailModel

/// Which answers are to be looked up anew, past all caches.
public struct OutdatedAnswers: Hashable, Sendable {
    /// The most questions, names and zones together; of more, everything is outdated.
    public static let most = 10_000

    /// Those to these questions.
    public private(set) var questions: Set<DNSQuestion> = []
    /// Those of these names, of whatever type, and of the service names below them, as `_25._tcp.mx.example.org`.
    public private(set) var names: Set<Substring> = []
    /// Those of these names and of all names below them.
    public private(set) var zones: Set<Substring> = []
    /// All of them.
    public private(set) var isEverything = false

    /// All answers.
    public static let everything: OutdatedAnswers = {
        var outdated = OutdatedAnswers()
        outdated.isEverything = true
        return outdated
    }()

    /// None so far.
    public init() {}

    /// Whether it is none.
    public var isEmpty: Bool { self == OutdatedAnswers() }

    /// Those to these questions, too.
    public mutating func insert(_ questions: Set<DNSQuestion>) {
        self.questions.formUnion(questions)
        self.bound()
    }

    /// Those of a name, too.
    ///
    /// - Parameter isZone: with all names below it.
    public mutating func insert(_ name: DomainName, isZone: Bool) {
        if isZone { self.zones.insert(name.text[...]) } else { self.names.insert(name.text[...]) }
        self.bound()
    }

    /// The others, too.
    public mutating func formUnion(_ other: OutdatedAnswers) {
        if other.isEverything { self = .everything }
        self.insert(other.questions)
        self.names.formUnion(other.names)
        self.zones.formUnion(other.zones)
        self.bound()
    }

    private mutating func bound() {
        let count = self.questions.count + self.names.count + self.zones.count
        if self.isEverything || count > Self.most { self = .everything }
    }

    /// Whether this answer is one of them: by its own name, or by one that an alias led to.
    func covers(_ question: DNSQuestion, _ answer: DNSAnswer) -> Bool {
        if self.isEverything || self.questions.contains(question) || self.covers(question.name) { return true }
        switch answer {
        case .found(_, _, let aliases), .absent(_, _, let aliases): return aliases.contains(where: self.covers)
        case .failed: return false
        }
    }

    private func covers(_ name: DomainName) -> Bool {
        guard !self.names.isEmpty || !self.zones.isEmpty else { return false }
        var isServiceName = true
        var rest = name.text[...]
        while true {
            if isServiceName, self.names.contains(rest) { return true }
            if self.zones.contains(rest) { return true }
            isServiceName = isServiceName && rest.first == "_"
            guard let dot = rest.firstIndex(of: ".") else { return false }
            rest = rest[rest.index(after: dot)...]
        }
        return false
    }
}
