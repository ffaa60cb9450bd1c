/// Aligns columns of text for people. Parts of a long table come one after the other, so widths only grow, until the
/// table is as wide as the terminal. Then the widest columns are cut.
struct TextTable {
    /// No column is cut to less.
    private static let narrowest = 12
    private static let gap = "  "

    private let header: [String]
    private let style: TableStyle
    private let rightColumns: PartialRangeFrom<Int>?
    private var widths: [Int]
    private var isBegun = false

    init(_ header: [String], style: TableStyle = TableStyle(), alignsRight: PartialRangeFrom<Int>? = nil) {
        self.header = header
        self.style = style
        self.rightColumns = alignsRight
        self.widths = header.map(\.count)
    }

    init(_ header: String..., style: TableStyle = TableStyle()) { self.init(header, style: style) }

    /// The lines of the next rows, the first ones with the header before them. The last column is not padded.
    mutating func lines(_ rows: [[String]]) -> [String] {
        let rows = (self.isBegun ? [] : [self.header]) + rows.map { $0.map(Self.shown) }
        self.isBegun = true
        for row in rows {
            for (column, text) in row.enumerated() { self.widths[column] = max(self.widths[column], text.count) }
        }
        let widths = Self.fitted(self.widths, into: self.style.width)
        return rows.map { row in
            row.indices.map { self.cell(row, $0, widths) }.joined(separator: Self.gap)
        }
    }

    private func cell(_ row: [String], _ column: Int, _ widths: [Int]) -> String {
        let text = Self.cut(row[column], to: widths[column])
        let padding = String(repeating: " ", count: widths[column] - text.count)
        let painted = self.style.painted(text, row[column])
        if self.rightColumns?.contains(column) == true { return padding + painted }
        return column == row.count - 1 ? painted : painted + padding
    }

    /// Takes from the widest column until all fit, or none can give more.
    private static func fitted(_ widths: [Int], into limit: Int?) -> [Int] {
        guard let limit else { return widths }
        var fitted = widths
        var excess = widths.reduce(0, +) + Self.gap.count * (widths.count - 1) - limit
        // The first column has what a person copies.
        while excess > 0, let widest = fitted.indices.dropFirst().max(by: { fitted[$0] < fitted[$1] }),
            fitted[widest] > Self.narrowest
        {
            fitted[widest] -= 1
            excess -= 1
        }
        return fitted
    }

    private static func cut(_ text: String, to width: Int) -> String {
        text.count > width ? text.prefix(max(0, width - 3)) + "..." : text
    }

    /// What mail brought must neither move a terminal's cursor nor turn the direction of its text.
    static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { TerminalText.isHidden($0) ? "?" : $0 }))
    }
}
