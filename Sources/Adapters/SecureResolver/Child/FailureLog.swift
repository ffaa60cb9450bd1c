/// Why look-ups failed, as libunbound writes it to its log: its answers do not say.
///
/// A pure value: bytes of the log go in, and lines that somebody else should see come out. A line comes before its answer, since
/// the thread that writes both writes it first.
struct FailureLog {
    /// So much of a line is read.
    private static let longestLine = 4096
    /// So many failures are kept until their answers are; then all are forgotten, and those answers say SERVFAIL only.
    static let capacity = 4096
    private static let mark = " error: SERVFAIL <"
    /// The answer has this text too.
    private static let bogus = " info: validation failure <"

    private var line: [UInt8] = []
    private var passed: [String: LookupBudget] = [:]

    /// Takes bytes as they come, and gives the lines that are no failures of look-ups, each with its end.
    mutating func read(_ bytes: [UInt8]) -> [UInt8] {
        var others: [UInt8] = []
        for byte in bytes {
            if self.line.count < Self.longestLine { self.line.append(byte) }
            guard byte == UInt8(ascii: "\n") else { continue }
            if !self.readLine() { others += self.line.last == byte ? self.line : self.line + [byte] }
            self.line = []
        }
        return others
    }

    /// Which budget the look-up of this question passed, where it failed for that. Each is told once.
    mutating func take(_ name: String, _ type: UInt16) -> LookupBudget? {
        self.passed.removeValue(forKey: Self.key(name, type))
    }

    /// Whether it was a failure, that is `[time] libunbound[process:thread] error: SERVFAIL <name type class>: reasons`.
    private mutating func readLine() -> Bool {
        let text = String(decoding: self.line, as: UTF8.self)
        if text.contains(Self.bogus) { return true }
        guard let start = text.firstRange(of: Self.mark)?.upperBound, let end = text[start...].firstRange(of: ">:")
        else { return false }
        let question = text[start..<end.lowerBound].split(separator: " ")
        guard question.count == 3, let budget = LookupBudget(reason: String(text[end.upperBound...])) else {
            return true
        }
        if self.passed.count >= Self.capacity { self.passed = [:] }
        self.passed["\(question[0]) \(question[1])".lowercased()] = budget
        return true
    }

    private static func key(_ name: String, _ type: UInt16) -> String { "\(name) \(Self.mnemonic(type))".lowercased() }

    private static func mnemonic(_ type: UInt16) -> String {
        switch type {
        case 1: "A"
        case 5: "CNAME"
        case 6: "SOA"
        case 15: "MX"
        case 28: "AAAA"
        case 43: "DS"
        case 52: "TLSA"
        default: "TYPE\(type)"
        }
    }
}
