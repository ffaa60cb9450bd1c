/// Writes a manual page in the macros of man(7), which groff and mandoc both format.
struct RoffWriter {
    /// A stretch of text in one font.
    enum Span: Hashable {
        /// What is typed as it stands.
        case literal(String)
        /// What stands for something else.
        case variable(String)
        case plain(String)

        fileprivate var roff: String {
            switch self {
            case .literal(let text): "\\fB\(RoffWriter.escaped(text))\\fR"
            case .variable(let text): "\\fI\(RoffWriter.escaped(text))\\fR"
            case .plain(let text): RoffWriter.escaped(text)
            }
        }
    }

    /// The most bytes of a line, as mandoc wants it.
    private static let width = 78

    private var lines: [String] = []

    /// The page so far.
    var text: String { self.lines.map { "\($0)\n" }.joined() }

    /// Begins a page.
    ///
    /// - Parameters:
    ///   - name: in capitals at the head.
    ///   - section: of the manual, such as 8 for administration.
    ///   - date: as 2027-01-31.
    ///   - source: the program with its version.
    init(_ name: String, section: Int, date: String, source: String) {
        // The date is read, so nothing in it is escaped.
        self.lines = [".TH \(Self.quoted(name.uppercased())) \(section) \"\(date)\" \(Self.quoted(source))"]
    }

    mutating func section(_ title: String) { self.lines.append(".SH \(Self.quoted(title.uppercased()))") }

    mutating func subsection(_ title: String) { self.lines.append(".SS \(Self.quoted(title))") }

    /// A paragraph for each line of the text; what stands between backquotes is typed as it stands.
    mutating func prose(_ text: String) {
        for (index, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            if index == 0 { self.beginParagraph() } else { self.lines.append(".br") }
            self.append(Self.prose(line))
        }
    }

    /// A paragraph of stretches.
    mutating func paragraph(_ spans: [Span]) {
        self.beginParagraph()
        self.append(spans.map(\.roff).joined())
    }

    /// A term, and behind it what it means.
    mutating func entry(_ term: [Span], _ meaning: String) {
        self.lines.append(".TP")
        self.append(term.map(\.roff).joined())
        self.append(Self.prose(meaning))
    }

    /// A heading begins one by itself.
    private mutating func beginParagraph() {
        if let last = self.lines.last, last.hasPrefix(".SH ") || last.hasPrefix(".SS ") { return }
        self.lines.append(".PP")
    }

    /// Adds text in lines that editors show whole. One that begins with a dot would be a request.
    private mutating func append(_ text: String) {
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.utf8.count + word.utf8.count >= Self.width {
                self.lines.append(line)
                line = ""
            }
            line += line.isEmpty ? (word.hasPrefix(".") ? "\\&\(word)" : "\(word)") : " \(word)"
        }
        self.lines.append(line)
    }

    private static func prose(_ text: some StringProtocol) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, part in
            index.isMultiple(of: 2) ? Span.plain(String(part)).roff : Span.literal(String(part)).roff
        }.joined()
    }

    private static func quoted(_ text: String) -> String { "\"\(Self.escaped(text))\"" }

    /// Text that is shown as it is, signs for copying included.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\\": "\\e"
            case "-": "\\-"
            case "'": "\\(aq"
            case "\"": "\\(dq"
            case "`": "\\(ga"
            case "^": "\\(ha"
            case "~": "\\(ti"
            case _ where scalar.isASCII: String(scalar)
            default: "\\[u\(Self.hexadecimal(scalar))]"
            }
        }.joined()
    }

    /// At least four digits.
    private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
