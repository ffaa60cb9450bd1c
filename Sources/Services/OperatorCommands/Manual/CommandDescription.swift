import ArgumentParser
import Foundation

/// What a program's argument parser knows of a command. It is read from what the parser itself dumps, so a page cannot tell of
/// an option that is not there.
struct CommandDescription: Decodable {
    /// An option, a flag, or a word without a name.
    struct Argument: Decodable {
        enum Kind: String, Decodable {
            case positional, option, flag
        }

        struct Name: Decodable {
            let kind: String
            let name: String

            /// As it is typed.
            var typed: String { self.kind == "long" ? "--\(self.name)" : "-\(self.name)" }
        }

        let kind: Kind
        let shouldDisplay: Bool
        let isOptional: Bool
        let isRepeating: Bool
        let names: [Name]?
        let valueName: String?
        let defaultValue: String?
        let abstract: String?
        let discussion: String?
    }

    let commandName: String
    let superCommands: [String]?
    let abstract: String?
    let discussion: String?
    private let shouldDisplay: Bool
    private let subcommands: [CommandDescription]?
    private let arguments: [Argument]?

    /// What the parser dumps.
    private struct Dump: Decodable { let command: CommandDescription }

    /// The commands of a program, and all that it knows of them.
    static func of(_ program: (some ParsableCommand).Type) throws -> CommandDescription {
        try JSONDecoder().decode(Dump.self, from: Data(program._dumpHelp().utf8)).command
    }

    /// The words of the command line, from the program's name on.
    var words: [String] { (self.superCommands ?? []) + [self.commandName] }

    /// Those below it, without the parser's own `help`.
    var shownSubcommands: [CommandDescription] {
        (self.subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
    }

    /// Its words and options, without `--help` and `--version`, which every command has.
    var shownArguments: [Argument] {
        (self.arguments ?? []).filter { argument in
            argument.shouldDisplay && !(argument.names ?? []).contains { ["help", "version"].contains($0.name) }
        }
    }

    /// It and all below it that do something, in the order of the help.
    var leaves: [CommandDescription] {
        self.shownSubcommands.isEmpty ? [self] : self.shownSubcommands.flatMap(\.leaves)
    }

    /// The command below it that these words name.
    func command(_ words: [String]) -> CommandDescription? {
        guard let first = words.first else { return self }
        return self.shownSubcommands.first { $0.commandName == first }?.command(Array(words.dropFirst()))
    }
}
