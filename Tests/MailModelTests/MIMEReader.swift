/// Reads a multipart message as a program of the sender would: apart from how the report was written.
struct MIMEReader {
    struct Part {
        /// By lower-case name, unfolded.
        let header: [(name: String, value: String)]
        let body: String

        subscript(name: String) -> String? { self.header.first { $0.name == name.lowercased() }?.value }

        init(_ text: Substring) {
            let halves = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            self.header = MIMEReader.fields(halves[0])
            self.body = halves.count > 1 ? String(halves[1]) : ""
        }
    }

    let whole: Part
    let parts: [Part]
    let lines: [String]

    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        self.whole = Part(text[...])
        self.lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        guard let type = self.whole["content-type"], let quoted = type.firstRange(of: "boundary=\"") else { return nil }
        let boundary = type[quoted.upperBound...].prefix { $0 != "\"" }
        let pieces = "\r\n\(self.whole.body)".split(separator: "\r\n--\(boundary)", omittingEmptySubsequences: false)
        guard pieces.last == "--\r\n" else { return nil }
        self.parts = pieces.dropFirst().dropLast().map { Part($0.dropFirst()) }
    }

    /// The groups of fields in a part for programs.
    func groups(ofPart index: Int) -> [[String: String]] {
        self.parts[index].body.split(separator: "\r\n\r\n").map { group in
            Dictionary(MIMEReader.fields(group)) { first, _ in first }
        }
    }

    static func fields(_ text: some StringProtocol) -> [(name: String, value: String)] {
        let unfolded = String(text).replacing("\r\n ", with: " ").replacing("\r\n\t", with: " ")
        return unfolded.split(separator: "\r\n").map { line in
            let halves = line.split(separator: ":", maxSplits: 1)
            return (halves[0].lowercased(), halves.count > 1 ? String(halves[1].drop { $0 == " " }) : "")
        }
    }
}
