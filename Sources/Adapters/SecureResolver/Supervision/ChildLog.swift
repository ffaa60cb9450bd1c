/// What a child writes to its standard error, as lines that a log may have: printable, short, and not too many.
struct ChildLog {
    typealias Instant = ContinuousClock.Instant

    /// So much of a line is kept.
    static let longestLine = 512
    /// So many lines are passed on in `period`; the others are counted.
    static let lines = 20
    static let period = Duration.seconds(10)

    private var line: [UInt8] = []
    private var began: Instant
    private var passed = 0
    private var dropped = 0

    init(at now: Instant) { self.began = now }

    /// Takes bytes as they come, and gives the lines that they complete.
    mutating func read(_ bytes: [UInt8], at now: Instant) -> [String] {
        var lines: [String] = []
        if now - self.began >= Self.period {
            if self.dropped > 0 { lines.append("\(self.dropped) lines were left out") }
            (self.began, self.passed, self.dropped) = (now, 0, 0)
        }
        for byte in bytes {
            if byte != UInt8(ascii: "\n") {
                if self.line.count < Self.longestLine {
                    self.line.append((0x20...0x7E).contains(byte) ? byte : UInt8(ascii: "?"))
                }
            } else if !self.line.isEmpty {
                if self.passed < Self.lines {
                    lines.append(String(decoding: self.line, as: UTF8.self))
                    self.passed += 1
                } else {
                    self.dropped += 1
                }
                self.line = []
            }
        }
        return lines
    }
}
