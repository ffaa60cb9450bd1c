/// The extensions that a peer said in its answer to EHLO, and what a well-behaved MX refuses because of them.
struct ScriptedExtensions {
    /// Whose parameters a client may use (RFC 1870, 6152, 3461, 6531, 8689, 4954).
    private static let extensionOfParameter = [
        "SIZE": "SIZE", "BODY": "8BITMIME", "RET": "DSN", "ENVID": "DSN", "NOTIFY": "DSN", "ORCPT": "DSN",
        "SMTPUTF8": "SMTPUTF8", "REQUIRETLS": "REQUIRETLS", "AUTH": "AUTH",
    ]

    private let keywords: Set<String>
    /// The limits of RFC 9422 §4 by name.
    private let limits: [String: Int]

    /// Lines such as `SIZE 1000` and `LIMITS RCPTMAX=2 MAILMAX=1`.
    init(_ lines: [String]) {
        let words = lines.map { $0.split(separator: " ").map { $0.uppercased() } }
        self.keywords = Set(words.compactMap(\.first))
        self.limits = words.filter { $0.first == "LIMITS" }.reduce(into: [:]) { limits, words in
            for word in words.dropFirst() {
                let halves = word.split(separator: "=")
                if halves.count == 2 { limits[String(halves[0])] = Int(halves[1]) }
            }
        }
    }

    func offers(_ keyword: String) -> Bool { self.keywords.contains(keyword) }

    /// The reply to the nth MAIL of a connection, if it is a refusal.
    func refusal(ofMail path: ScriptedPath, number: Int) -> String? {
        if self.isOver(number, "MAILMAX") { return "452 4.5.3 Too many messages" }
        if let refusal = self.refusal(ofParameters: path) { return refusal }
        let isInternational = path.parameters.contains { $0.uppercased() == "SMTPUTF8" }
        return path.isASCII || isInternational ? nil : "553 5.6.7 That takes SMTPUTF8"
    }

    /// The reply to a RCPT, if it is a refusal.
    func refusal(of path: ScriptedPath, in transaction: ScriptedTransaction) -> String? {
        let domains = Set(transaction.recipients.map(\.domain)).union([path.domain])
        if self.isOver(transaction.recipients.count + 1, "RCPTMAX") || self.isOver(domains.count, "RCPTDOMAINMAX") {
            return "452 4.5.3 Too many recipients"
        }
        if let refusal = self.refusal(ofParameters: path) { return refusal }
        return path.isASCII || transaction.isInternational ? nil : "553 5.6.7 That takes SMTPUTF8"
    }

    /// A parameter of an extension that was not offered is an error (RFC 5321 §4.1.1.11).
    private func refusal(ofParameters path: ScriptedPath) -> String? {
        let unknown = path.parameters.first { parameter in
            let keyword = String(parameter.prefix { $0 != "=" }).uppercased()
            return !(Self.extensionOfParameter[keyword].map { self.offers($0) } ?? false)
        }
        return unknown.map { "555 5.5.4 Not offered: \($0)" }
    }

    private func isOver(_ count: Int, _ limit: String) -> Bool { self.limits[limit].map { count > $0 } ?? false }
}
