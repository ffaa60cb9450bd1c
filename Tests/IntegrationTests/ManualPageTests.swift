import Foundation
import Testing

@Suite("Manual pages and completions", .timeLimit(.minutes(3)))
struct ManualPageTests {
    private static let pages = [
        ["relayd"], ["relayctl"], ["relayd", "relayd.yaml"], ["relayctl", "queue", "list"], ["relayd", "config"],
        ["relay-controller"], ["relay-controller", "relay-controller.yaml"], ["relay-controller", "init"],
    ]

    private func page(_ words: [String]) async throws -> String {
        let run = try await ProgramRun.of(words[0], ["man"] + words.dropFirst())
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        return run.output
    }

    @Test("groff and mandoc format every page, and find nothing to complain of", arguments: Self.pages)
    func isClean(_ words: [String]) async throws {
        let page = try await self.page(words)
        for formatter in [["groff", "-man", "-ww", "-z", "-Tascii"], ["mandoc", "-T", "lint"]] {
            let run = try await ProgramRun.of(formatter, input: page)
            #expect(run.status == 0 && run.output.isEmpty && run.errors.isEmpty, "\(run.output)\(run.errors)")
        }
    }

    @Test("Every option of every command is on its program's page, and the parser's help names no other")
    func hasEveryOption() async throws {
        for program in ["relayd", "relayctl", "relay-controller"] {
            let text = try await ProgramRun.of(["mandoc", "-T", "ascii"], input: try await self.page([program])).output
                .replacing(#/.\u{8}/#, with: "")
            var commands: [[String]] = [[]]
            var count = 0
            while let command = commands.popLast() {
                let help = try await ProgramRun.of(program, command + ["--help"]).output
                for option in help.matches(of: #/(?m)^  (?:-\w, )?(--[a-z-]+)/#).map(\.output.1) {
                    #expect(text.contains(option), "\(program) \(command): \(option)")
                    count += 1
                }
                guard let list = help.split(separator: "SUBCOMMANDS:\n").dropFirst().first else { continue }
                for name in list.matches(of: #/(?m)^  ([a-z]+)/#).map({ String($0.output.1) }) where name != "help" {
                    #expect(text.contains(([program] + command + [name]).joined(separator: " ")))
                    commands.append(command + [name])
                }
            }
            #expect(count > 20)
        }
    }

    /// All texts of what the parser dumps, of the program and all its commands.
    private static func texts(in dump: Any) -> [String] {
        if let list = dump as? [Any] { return list.flatMap(Self.texts) }
        guard let fields = dump as? [String: Any] else { return [] }
        return ["abstract", "discussion"].compactMap { fields[$0] as? String } + fields.values.flatMap(Self.texts)
    }

    @Test("No text of the help has two blanks inside a sentence, as where a line's end was lost")
    func blanks() async throws {
        for program in ["relayd", "relayctl"] {
            let dump = try await ProgramRun.of(program, ["--experimental-dump-help"]).output
            let texts = Self.texts(in: try JSONSerialization.jsonObject(with: Data(dump.utf8)))
            #expect(texts.count > 50, "\(program)")
            for text in texts {
                let place = try #/[^\s:][ \t]{2,}\S/#.firstMatch(in: text)
                #expect(place == nil, "\(program): \(text)")
            }
        }
    }

    @Test("Pages say what the help does not: exit codes, environment and files, on the day that is given")
    func facts() async throws {
        let run = try await ProgramRun.of("relayctl", ["man"], environment: ["SOURCE_DATE_EPOCH": "1800000000"])
        let text = try await ProgramRun.of(["mandoc", "-T", "ascii"], input: run.output).output
            .replacing(#/.\u{8}/#, with: "")
        for section in ["NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            #expect(text.contains("\n\(section)\n"), "\(section)")
        }
        for fact in ["2027-01-15", " 77 ", "NO_COLOR", "/etc/relayd/relayd.yaml", "--older-than"] {
            #expect(text.contains(fact), "\(fact)")
        }
        let settings = try await self.page(["relayd", "relayd.yaml"])
        #expect(settings.contains("RELAYD_QUEUE_LEASE_TTL"))
        let absent = try await ProgramRun.of("relayctl", ["man", "queue", "lists"])
        #expect(absent.status == 64 && absent.errors.contains("relayctl has no command queue lists"))
    }

    @Test("bash completes commands and options by the script that is printed", arguments: ["relayd", "relayctl"])
    func completesInBash(_ program: String) async throws {
        let script = try await ProgramRun.of(program, ["completions", "bash"]).output
        /// What bash offers for the last of these words.
        func offers(_ words: [String]) async throws -> Set<Substring> {
            let list = words.map { "'\($0)'" }.joined(separator: " ")
            let line = words.joined(separator: " ")
            let ask = """
                COMP_WORDS=(\(list)) COMP_CWORD=\(words.count - 1) COMP_LINE='\(line)' COMP_POINT=\(line.utf8.count)
                COMP_TYPE=9 COMP_KEY=9
                function=$(complete -p \(program) | sed -E 's/.*-F ([^ ]+).*/\\1/')
                "$function" \(program) "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            let run = try await ProgramRun.of(["bash", "--norc", "-s"], input: script + "\n" + ask + "\n")
            #expect(run.errors.isEmpty, "\(run.errors)")
            return Set(run.output.split(whereSeparator: \.isWhitespace))
        }
        let (command, sub, option) = program == "relayctl" ? ("queue", "list", "--limit") : ("config", "check", "--dns")
        #expect(try await offers([program, ""]).contains("\(command)"))
        #expect(try await offers([program, command, ""]).contains("\(sub)"))
        #expect(try await offers([program, command, sub, "--"]).contains("\(option)"))
    }
}
