/// How tables are written: how wide, and whether in colour.
public struct TableStyle: Hashable, Sendable {
    /// The columns of the terminal; `nil` where there is none, and nothing is cut.
    public var width: Int?
    /// Whether colours are wanted.
    public var isColoured: Bool

    /// A style; for a file or a pipe unless it is said.
    public init(width: Int? = nil, isColoured: Bool = false) {
        self.width = width
        self.isColoured = isColoured
    }

    /// A text in the colour of what it says, if it is one of the words that have one.
    func painted(_ text: String, _ word: String) -> String {
        guard self.isColoured, let code = Self.codes[word] else { return text }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    /// Selections of graphic rendition (ECMA-48 §8.3.117), in colours that can be read on dark and on light.
    private static let codes = ["active": 32, "deferred": 33, "held": 35, "failing": 31]
}

/// Whether colours are wanted, as it stands on a command line.
public enum ColourChoice: String, Hashable, Sendable, CaseIterable {
    /// On a terminal, unless the environment says otherwise.
    case auto
    case always
    case never

    /// - Parameters:
    ///   - isTerminal: whether standard output is one.
    ///   - environment: `NO_COLOR` with any value but an empty one, or `TERM=dumb`, is a no (no-color.org).
    public func isColoured(isTerminal: Bool, environment: [String: String]) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto: isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        }
    }
}
