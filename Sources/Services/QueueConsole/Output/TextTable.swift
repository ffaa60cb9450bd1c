/// Aligns columns of text for people. Parts of a long table come one after the other, so widths only grow.
struct TextTable {
    private let header: [String]
    private var widths: [Int]
    private var isBegun = false

    init(_ header: String...) {
        self.header = header
        self.widths = header.map(\.count)
    }

    /// The lines of the next rows, the first ones with the header before them. The last column is not padded.
    mutating func lines(_ rows: [[String]]) -> [String] {
        let rows = (self.isBegun ? [] : [self.header]) + rows.map { $0.map(Self.shown) }
        self.isBegun = true
        for row in rows {
            for (column, text) in row.enumerated() { self.widths[column] = max(self.widths[column], text.count) }
        }
        return rows.map { row in
            let padded = row.enumerated().map { column, text in
                column == row.count - 1
                    ? text : text + String(repeating: " ", count: self.widths[column] - text.count)
            }
            return padded.joined(separator: "  ")
        }
    }

    /// What mail brought must neither move a terminal's cursor nor turn the direction of its text.
    static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { TerminalText.isHidden($0) ? "?" : $0 }))
    }
}
