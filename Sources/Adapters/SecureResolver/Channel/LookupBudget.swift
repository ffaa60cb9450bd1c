/// What a look-up may take at the most, as far as libunbound counts it, and says that it was passed.
package enum LookupBudget: UInt8, CaseIterable, Sendable, CustomStringConvertible {
    case aliases = 1
    case questions, referrals, depth, nameServers, missingNameServers, validation

    /// The numbers, those of libunbound's own code included.
    enum Limit {
        /// Aliases followed from server to server; those that come in one answer are counted by `AnswerReading`.
        static let aliases = 11
        /// Questions sent for one name and type, repetitions included.
        static let questions = 32
        /// How deep a name server's name may need another's: one less than the numbers of `target-fetch-policy`.
        static let depth = 4
        /// Fixed: delegations followed.
        fileprivate static let referrals = 130
        /// Fixed: names of name servers looked up for one look-up.
        fileprivate static let nameServers = 64
        /// Fixed: those of them that do not exist.
        fileprivate static let missingNameServers = 5
        /// Fixed: how often validation is put off to give others a turn, after eight signatures or hashes each.
        fileprivate static let suspensions = 16
    }

    /// What libunbound writes for each (1.17.1, iterator.c and validator.c).
    private var words: String {
        switch self {
        case .aliases: "exceeded the maximum number restarts"
        case .questions: "exceeded the maximum number of sends"
        case .referrals: "exceeded the maximum of referrals"
        case .depth: "maximum dependency depth"
        case .nameServers: "exceeded the maximum number of glue fetches"
        case .missingNameServers: "exceeded the maximum nameserver nxdomains"
        case .validation: "max validation suspends reached"
        }
    }

    /// The budget that libunbound says was passed; `nil` where it fails for another reason.
    init?(reason: String) {
        guard let budget = Self.allCases.first(where: { reason.contains($0.words) }) else { return nil }
        self = budget
    }

    /// For people.
    package var description: String {
        switch self {
        case .aliases: "it has more than \(Limit.aliases) aliases"
        case .questions: "it takes more than \(Limit.questions) questions"
        case .referrals: "it has more than \(Limit.referrals) delegations"
        case .depth: "its name servers' names need more than \(Limit.depth) others"
        case .nameServers: "it has more than \(Limit.nameServers) name servers without addresses"
        case .missingNameServers: "more than \(Limit.missingNameServers) of its name servers do not exist"
        case .validation: "its signatures or denials take more than \(Limit.suspensions) rounds of eight to validate"
        }
    }
}
