import CPostgres

/// A connection string or URI of libpq, looked at before it is used.
///
/// libpq's own messages quote what they do not understand, which may be a part of the password. These quote nothing but key
/// words.
public enum ConnectionString {
    /// What is wrong with a connection string.
    public enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// The word of that number, from 1, is `key=value` with a key that libpq does not know.
        case unknownKeyword(String, number: Int)
        /// The word of that number has no `=`.
        case noEqualsSign(number: Int)
        /// A single quote is never closed.
        case openQuote
        /// It begins as a URI, and is none.
        case badURI
        /// A URI has a `/`, `?` or `@` in its password. So a part of the password is taken for a host or a database.
        case unescapedURI
        /// A key has a value that libpq does not take.
        case badValue(keyword: String, expected: String)
        /// Anything else.
        case unreadable

        /// For people. An unknown key word is not named: it may be the rest of a password with a blank in it.
        public var description: String {
            switch self {
            case .unknownKeyword(_, let number):
                "\(Self.word(number)) has a key that libpq does not know (a value with blanks stands in single quotes)"
            case .noEqualsSign(let number):
                "\(Self.word(number)) is no key=value; a value with blanks stands in single quotes"
            case .openQuote: "a single quote is not closed"
            case .badURI: "is not a URI such as postgresql://user@host:5432/database?sslmode=require"
            case .unescapedURI: "has an @ too many for a URI; in a password @ is written %40, / %2F, ? %3F and % %25"
            case .badValue(let keyword, let expected): "\(keyword): expected \(expected)"
            case .unreadable: "libpq cannot read it"
            }
        }

        private static func word(_ number: Int) -> String { "word \(number) of the connection string" }
    }

    /// The key words that this libpq knows.
    public static var keywords: [String] {
        // libpq makes the array, which ends with a null key word, and it is freed here; the texts are copied before.
        guard let options = unsafe PQconndefaults() else { return [] }
        defer { unsafe PQconninfoFree(options) }
        return unsafe Self.pairs(options).map(\.keyword)
    }

    /// Why libpq would not take this text; `nil` where it would.
    public static func fault(in text: String) -> Fault? {
        // Any other text is the name of a database.
        guard text.contains("=") || Self.isURI(text) else { return nil }
        if Self.isURI(text), Self.hasStrayAt(text) { return .unescapedURI }
        guard let values = Self.values(of: text) else { return Self.isURI(text) ? .badURI : Self.fault(inWords: text) }
        return Self.fault(inValues: values)
    }

    /// Whether a password stands in it.
    public static func holdsPassword(_ text: String) -> Bool {
        guard text.contains("=") || Self.isURI(text), let values = Self.values(of: text) else { return false }
        return ["password", "sslpassword"].contains { values[$0]?.isEmpty == false }
    }

    private static func isURI(_ text: String) -> Bool {
        text.hasPrefix("postgresql://") || text.hasPrefix("postgres://")
    }

    /// libpq ends the password at the first `@`, and what comes before a `/` or `?` is no password for it. It would name the rest when
    /// it looks for the host.
    private static func hasStrayAt(_ text: String) -> Bool {
        let rest = text[(text.firstRange(of: "://")?.upperBound ?? text.startIndex)...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        // A parameter may hold one, as the name of a user does.
        let behind = rest.dropFirst(authority.count).prefix { $0 != "=" }
        return authority.count { $0 == "@" } > 1 || behind.contains("@")
    }

    /// What libpq reads; `nil` where it refuses. Its message is dropped.
    private static func values(of text: String) -> [String: String]? {
        var message: UnsafeMutablePointer<CChar>?
        // libpq makes both, and they are freed here; the texts are copied before.
        let options = unsafe PQconninfoParse(text, &message)
        if let message = unsafe message { unsafe PQfreemem(message) }
        guard let options = unsafe options else { return nil }
        defer { unsafe PQconninfoFree(options) }
        let pairs = unsafe Self.pairs(options)
        return Dictionary(pairs.compactMap { pair in pair.value.map { (pair.keyword, $0) } }) { $1 }
    }

    private static func pairs(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [(keyword: String, value: String?)]
    {
        var pairs: [(keyword: String, value: String?)] = []
        var option = unsafe options
        // The array ends with a null key word.
        while let keyword = unsafe option.pointee.keyword {
            let value = unsafe option.pointee.val.map { unsafe String(cString: $0) }
            pairs.append((unsafe String(cString: keyword), value))
            unsafe option += 1
        }
        return pairs
    }

    /// libpq reads these when it connects, and a node would wait for a database that it can never reach.
    private static func fault(inValues values: [String: String]) -> Fault? {
        let choices = [
            "sslmode": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
            "target_session_attrs": ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
        ]
        for (keyword, allowed) in choices.sorted(by: { $0.key < $1.key }) {
            guard let value = values[keyword], !value.isEmpty, !allowed.contains(value) else { continue }
            return .badValue(keyword: keyword, expected: "one of \(allowed.joined(separator: ", "))")
        }
        let ports = (values["port"] ?? "").split(separator: ",")
        guard ports.allSatisfy({ UInt16($0).map { $0 > 0 } ?? false }) else {
            return .badValue(keyword: "port", expected: "1 to 65535, or a list of such")
        }
        return nil
    }

    /// Finds the word at which libpq stopped, by its rules: white space around `=`, quotes, and backslashes before either.
    private static func fault(inWords text: String) -> Fault {
        let known = Set(Self.keywords)
        var rest = text[...]
        var number = 0
        while true {
            rest = rest.drop { $0.isWhitespace }
            if rest.isEmpty { return .unreadable }
            number += 1
            let key = rest.prefix { $0 != "=" && !$0.isWhitespace }
            rest = rest.dropFirst(key.count).drop { $0.isWhitespace }
            guard rest.first == "=", !key.isEmpty else { return .noEqualsSign(number: number) }
            guard known.contains(String(key)) else { return .unknownKeyword(String(key), number: number) }
            guard let behind = Self.behindValue(rest.dropFirst().drop { $0.isWhitespace }) else { return .openQuote }
            rest = behind
        }
    }

    /// What follows a value; `nil` where its quote is not closed.
    private static func behindValue(_ text: Substring) -> Substring? {
        let isQuoted = text.first == "'"
        var rest = isQuoted ? text.dropFirst() : text
        while let character = rest.popFirst() {
            if character == "\\" {
                _ = rest.popFirst()
            } else if isQuoted ? character == "'" : character.isWhitespace {
                return rest
            }
        }
        return isQuoted ? nil : rest
    }
}
