import DNSModel
import MailModel

/// The limit for which a look-up did not begin, as a label of metrics.
public enum LookupLimit: String, Hashable, Sendable, CaseIterable {
    /// As many look-ups are under way as may be.
    case all
    /// A domain has its share of them.
    case domain
    /// Names that said nothing before have theirs.
    case silent
}

/// Which look-ups may begin while others are under way: names whose servers say nothing leave slots for the others.
///
/// A name that was not answered last time is *silent*; such names have three quarters of all slots. The names of one
/// domain have one more slot only while more are free than they hold, by `DomainShares`. So a question for a domain of
/// which nothing is under way gets a slot until none is left.
///
/// A pure value.
struct LookupAdmission {
    /// A failure that took so long is silence.
    static let silence = Duration.seconds(2)
    /// So many silent names are remembered; of more, the half that fell silent longest ago is forgotten.
    static let mostRemembered = 16_384

    /// The most look-ups under way.
    let slots: Int
    private var shares = DomainShares()
    /// Those under way for silent names.
    private var ofSilent: Set<DNSQuestion> = []
    private var silentNames: [DomainName: UInt64] = [:]
    private var nextSerial: UInt64 = 0

    init(slots: Int) { self.slots = slots }

    /// How many are under way.
    var count: Int { self.shares.total }

    /// How many silent names may have.
    var silentSlots: Int { self.slots - self.slots / 4 }

    /// Whether so many are under way that one which is not answered in time says nothing of the domain. Silent names alone are
    /// never so many.
    var isSaturated: Bool { self.count > self.silentSlots }

    /// A look-up is to begin, and `ended` is to follow; or the limit that forbids it.
    mutating func begin(_ question: DNSQuestion) -> LookupLimit? {
        guard self.count < self.slots else { return .all }
        let isSilent = self.silentNames[question.name] != nil
        guard !isSilent || self.ofSilent.count < self.silentSlots else { return .silent }
        guard self.shares.take(question.name, of: self.slots) else { return .domain }
        if isSilent { self.ofSilent.insert(question) }
        return nil
    }

    /// It ended: with an answer, or without one after so long.
    mutating func ended(_ question: DNSQuestion, isAnswered: Bool, took: Duration) {
        self.shares.giveBack(question.name)
        self.ofSilent.remove(question)
        if isAnswered {
            self.silentNames[question.name] = nil
        } else if took >= Self.silence {
            self.remember(question.name)
        }
    }

    private mutating func remember(_ name: DomainName) {
        if self.silentNames.count >= Self.mostRemembered, self.silentNames[name] == nil {
            let middle = self.silentNames.values.sorted()[Self.mostRemembered / 2]
            self.silentNames = self.silentNames.filter { $0.value >= middle }
        }
        self.nextSerial += 1
        self.silentNames[name] = self.nextSerial
    }
}

/// Slots shared among domains: the names below `example.org`, or any other name of two labels. They get one more only
/// while more are free than they hold. So a domain gets half at the most, and two get a third each.
///
/// A name of two labels may be a registry's, such as `co.uk`, and a single one of its customers must not use up its share. So names
/// below one of three labels have one more only while three times as many are free: a quarter at the most.
struct DomainShares {
    private(set) var total = 0
    private var held: [Substring: Int] = [:]

    /// Takes one of so many slots; `false` where the name's domain may have no more.
    mutating func take(_ name: DomainName, of slots: Int) -> Bool {
        let free = slots - self.total
        let domains = Self.domains(of: name)
        for (domain, factor) in domains {
            let count = self.held[domain, default: 0]
            guard free > count * factor else { return false }
        }
        self.total += 1
        for (domain, _) in domains { self.held[domain, default: 0] += 1 }
        return true
    }

    /// Gives back a slot that was taken for this name.
    mutating func giveBack(_ name: DomainName) {
        self.total -= 1
        for (domain, _) in Self.domains(of: name) {
            guard let count = self.held[domain] else { continue }
            self.held[domain] = count > 1 ? count - 1 : nil
        }
    }

    /// The last two labels of a name, or all of it.
    static func domain(of name: DomainName) -> Substring { self.domains(of: name)[0].0 }

    /// The last two labels of a name, and its last three; of a shorter name, all of it.
    private static func domains(of name: DomainName) -> [(Substring, factor: Int)] {
        let text = name.text
        var dots: [String.Index] = []
        var rest = text.utf8[...]
        while dots.count < 3, let dot = rest.lastIndex(of: UInt8(ascii: ".")) {
            dots.append(dot)
            rest = rest[..<dot]
        }
        func below(_ dot: Int) -> Substring {
            dots.indices.contains(dot) ? text[text.utf8.index(after: dots[dot])...] : text[...]
        }
        return dots.count < 2 ? [(below(1), 1)] : [(below(1), 1), (below(2), 3)]
    }
}
