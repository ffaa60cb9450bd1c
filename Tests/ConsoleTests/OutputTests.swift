import Foundation
import Synchronization
import Testing

@testable import Console

@Suite("Output for programs and for people")
struct OutputTests {
    private static let value = OutputValue.record([
        .init("text", .text("a \"b\"\\\n\u{1b}[2J é")), .init("number", .number(-3)), .init("yes", .bool(true)),
        .init("nothing", .null), .init("empty", .list([])),
        .init(
            "list",
            .list([.record([.init("x", .text("no")), .init("y", .list([.number(1), .number(2)]))]), .record([])])),
    ])

    @Test("JSON is read back as it was, and holds no control character")
    func json() throws {
        let json = Self.value.json
        let read = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(read["text"] as? String == "a \"b\"\\\n\u{1b}[2J é")
        #expect(read["number"] as? Int == -3 && read["yes"] as? Bool == true && read["nothing"] is NSNull)
        #expect((read["list"] as? [[String: Any]])?.first?["y"] as? [Int] == [1, 2])
        #expect(json.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test("YAML is in blocks, and a text that looks like something else stays a text")
    func yaml() {
        #expect(
            Self.value.yaml == """
                text: "a \\"b\\"\\\\\\n\\u001b[2J é"
                number: -3
                yes: true
                nothing: null
                empty: []
                list:
                  - x: "no"
                    y:
                      - 1
                      - 2
                  - {}
                """)
    }

    @Test("Exceptions come in each form, also where there are none", arguments: OutputFormat.allCases)
    func exceptions(_ format: OutputFormat) throws {
        func written(_ exceptions: [PolicyException]) throws -> [String] {
            let output = Mutex("")
            let terminal = ConsoleTerminal(
                write: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } }, isShown: false,
                say: { _ in }, confirm: nil)
            try PolicyException.write(exceptions, format, to: terminal)
            return output.withLock { $0.split(separator: "\n").map { String($0) } }
        }
        let one = PolicyException(
            domain: "*.a.test", setting: "delivery.tls-exceptions[0]", policies: ["dane", "encrypt"], reason: "old key",
            until: "2027-01-31", isExpired: true, place: "relayd.yaml:3")
        let lines = try written([one, one])
        switch format {
        case .table:
            #expect(lines.count == 3 && lines[0].hasPrefix("DOMAIN    POLICY         UNTIL       STATE"))
            #expect(
                lines[1].hasPrefix("*.a.test  dane, encrypt  2027-01-31  expired  delivery.tls-exceptions[0]  old key"))
        case .json:
            let read = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
            let list = read?["exceptions"] as? [[String: Any]]
            #expect(
                list?.count == 2 && list?[1]["expired"] as? Bool == true && read?["schema"] as? String == "relayctl/v1")
            #expect(list?[0]["policies"] as? [String] == ["dane", "encrypt"])
        case .jsonl:
            #expect(lines.count == 2 && lines[0].hasPrefix("{\"schema\":\"relayctl/v1\",\"domain\":\"*.a.test\""))
        case .yaml: #expect(lines.contains("  - domain: \"*.a.test\"") && lines.contains("    expired: true"))
        }
        #expect(try written([]).count == (format == .jsonl ? 0 : format == .yaml ? 2 : 1))
    }

    @Test("A table's columns stay where they are or move right, and show no control character")
    func table() {
        var table = TextTable("A", "B")
        #expect(table.lines([["xx", "1"]]) == ["A   B", "xx  1"])
        #expect(table.lines([["y", "\u{1b}2"], ["zzz", "3"]]) == ["y    ?2", "zzz  3"])
    }

    @Test("A table is no wider than the terminal: the widest columns are cut, and never the first")
    func width() {
        let row = [
            "01ARZ3NDEKTSV4RRFFQ69G5FAV", "a-very-long-sender@alpha.test", "451 4.7.1 come back later, please, please",
        ]
        var whole = TextTable("ID", "SENDER", "REASON")
        #expect(whole.lines([row])[1].hasSuffix("please, please"))
        for width in [60, 70, 80, 97] {
            var table = TextTable("ID", "SENDER", "REASON", style: TableStyle(width: width))
            let lines = table.lines([row])
            #expect(lines.allSatisfy { $0.count <= width }, "\(width): \(lines)")
            #expect(lines[1].hasPrefix(row[0]) && lines[1].contains("..."))
        }
        var narrow = TextTable("ID", "SENDER", "REASON", style: TableStyle(width: 10))
        #expect(
            narrow.lines([row])[1] == "01ARZ3NDEKTSV4RRFFQ69G5FAV  a-very-lo...  451 4.7.1...",
            "no terminal is that narrow")
    }

    @Test("A state has its colour where colours are wanted, and no other text has")
    func colour() {
        var table = TextTable("STATE", "ID", style: TableStyle(isColoured: true))
        #expect(
            table.lines([["held", "1"], ["ready", "2"]]) == ["STATE  ID", "\u{1b}[35mheld\u{1b}[0m   1", "ready  2"])
    }

    @Test(
        "Colours follow the conventions",
        arguments: [
            (.auto, true, [:], true), (.auto, false, [:], false), (.auto, true, ["NO_COLOR": "1"], false),
            (.auto, true, ["NO_COLOR": ""], true), (.auto, true, ["TERM": "dumb"], false),
            (.always, false, ["NO_COLOR": "1"], true), (.never, true, [:], false),
        ] as [(ColourChoice, Bool, [String: String], Bool)])
    func colourChoice(_ choice: ColourChoice, isTerminal: Bool, environment: [String: String], isColoured: Bool) {
        #expect(choice.isColoured(isTerminal: isTerminal, environment: environment) == isColoured)
    }

    @Test(
        "Headers and body part at the first empty line, however content is cut",
        arguments: [
            ("A: b\r\n\r\nbody\r\n\r\nmore", "A: b\r\n", "body\r\n\r\nmore"), ("\r\nbody", "", "body"),
            ("A: b\r\n", "A: b\r\n", ""),
            ("A: b\n\nbody", "A: b\n", "body"), ("A\r\rB\r\n\r\n\r\n", "A\r\rB\r\n", "\r\n"), ("", "", ""),
            ("A: b\r\n\rX: y\r\n\r\nz", "A: b\r\n\rX: y\r\n", "z"),
        ])
    func contentParts(_ content: String, headers: String, body: String) {
        let bytes = Array(content.utf8)
        for size in 1...max(1, bytes.count) {
            for (part, wanted) in [(ContentPart.all, content), (.headers, headers), (.body, body)] {
                var cutter = ContentCutter(part)
                var kept: [UInt8] = []
                for start in stride(from: 0, to: bytes.count, by: size) {
                    kept += cutter.kept(of: Array(bytes[start..<min(start + size, bytes.count)]))
                }
                #expect(String(decoding: kept, as: UTF8.self) == wanted, "\(part), pieces of \(size)")
            }
        }
    }

    @Test("Ids are the first words of lines")
    func ids() {
        #expect(EntrySelection.ids(in: "A x\n\n  B\r\nC") == ["A", "B", "C"])
    }

    @Test(
        "Times and sizes are short",
        arguments: [(0, "0s", "0 B"), (59, "59s", "59 B"), (3600, "1h", "3.5 KiB"), (100_000, "1d 3h", "97.7 KiB")])
    func short(number: Int, time: String, size: String) {
        #expect(Duration.seconds(number).shortText == time)
        #expect(number.shortByteText == size)
    }
}

@Suite("Content on a terminal")
struct TerminalTextTests {
    @Test(
        "Nothing of a message speaks to the terminal, however it is cut (field C13)",
        arguments: [
            ("a\u{1b}[2J\u{7}\u{8}b", "a?[2J??b"), ("\u{9b}31m\u{85}", "?31m?"), ("a\tb\r\n\r\nc\n", "a\tb\r\n\r\nc\n"),
            ("good\rbad", "good?bad"), ("\r\r\n", "?\r\n"), ("end\r", "end?"), ("\u{202e}abc\u{2028}", "?abc?"),
            ("Grüße, 用户 \u{1f600}\r\n", "Grüße, 用户 \u{1f600}\r\n"), ("\0", "?"),
        ])
    func safe(_ content: String, _ shown: String) {
        let bytes = Array(content.utf8)
        for size in 1...max(1, bytes.count) {
            var text = TerminalText()
            var output: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                output += text.shown(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(String(decoding: output + text.end(), as: UTF8.self) == shown)
        }
    }

    @Test("Bytes that are no UTF-8 are none on a terminal either (field C13)")
    func invalid() {
        var text = TerminalText()
        let shown = text.shown([0x61, 0x9b, 0x33, 0xc3]) + text.end()
        #expect(String(decoding: shown, as: UTF8.self) == "a\u{fffd}3\u{fffd}")
    }
}
