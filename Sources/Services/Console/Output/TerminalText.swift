/// Content of mail as a terminal may show it. What would move its cursor, change its settings or turn the direction of
/// its text becomes `?`. Content comes in pieces, cut anywhere.
struct TerminalText {
    private static let hidden: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]

    /// The end of the last piece that cannot be told without the next one: a CR, or a part of a character.
    private var held: [UInt8] = []

    /// Whether a terminal must not get it.
    static func isHidden(_ scalar: Unicode.Scalar) -> Bool { self.hidden.contains(scalar.properties.generalCategory) }

    /// What can be shown by now.
    mutating func shown(_ piece: [UInt8]) -> [UInt8] {
        let bytes = self.held + piece
        let end = bytes.count - Self.unfinished(bytes)
        self.held = Array(bytes[end...])
        return Self.text(bytes[..<end])
    }

    /// The rest.
    mutating func end() -> [UInt8] {
        defer { self.held = [] }
        return Self.text(self.held[...])
    }

    /// Tabs and the ends of lines stay; bytes that are no UTF-8 are shown as such.
    private static func text(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var shown: [UInt8] = []
        var isAfterReturn = false
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            if isAfterReturn { shown.append(UInt8(ascii: scalar == "\n" ? "\r" : "?")) }
            isAfterReturn = scalar == "\r"
            if isAfterReturn { continue }
            let stays = scalar == "\n" || scalar == "\t" || !self.isHidden(scalar)
            shown += Array(String(stays ? scalar : "?").utf8)
        }
        return isAfterReturn ? shown + [UInt8(ascii: "?")] : shown
    }

    /// How many bytes at the end wait for what follows.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        if bytes.last == UInt8(ascii: "\r") { return 1 }
        for (index, byte) in bytes.suffix(3).reversed().enumerated() {
            switch byte {
            case 0x80...0xBF: continue
            case 0xC0...0xDF: return index < 1 ? index + 1 : 0
            case 0xE0...0xEF: return index < 2 ? index + 1 : 0
            case 0xF0...0xF7: return index < 3 ? index + 1 : 0
            default: return 0
            }
        }
        return 0
    }
}
