public import ArgumentParser
public import RelayConfiguration

/// What a manual page tells of a program that its argument parser does not know.
public struct ProgramFacts: Sendable {
    /// A word, and what it means.
    public struct Entry: Sendable {
        let term: String
        let meaning: String

        public init(_ term: String, _ meaning: String) {
            self.term = term
            self.meaning = meaning
        }
    }

    /// By status.
    public let exitStatuses: [Entry]
    /// Variables that the program reads.
    public let environment: [Entry]
    /// Files that it looks for by itself.
    public let files: [Entry]
    /// Other pages, such as `relayctl(8)`.
    public let seeAlso: [String]

    public init(exitStatuses: [Entry], environment: [Entry], files: [Entry], seeAlso: [String]) {
        self.exitStatuses = exitStatuses
        self.environment = environment
        self.files = files
        self.seeAlso = seeAlso
    }
}

/// A program with a manual page and scripts for shells.
public protocol DocumentedProgram: ParsableCommand {
    /// The settings that it reads.
    associatedtype Settings: ProgramSettings

    static var facts: ProgramFacts { get }
}

extension DocumentedProgram {
    /// The file that the settings are read from.
    public static var configurationFile: ProgramFacts.Entry {
        ProgramFacts.Entry(
            Settings.schema.defaultPath,
            "The settings, unless --config names another file; see \(Settings.schema.fileName)(5).")
    }

    /// Variables by which settings come.
    public static var settingsEnvironment: [ProgramFacts.Entry] {
        let schema = Settings.schema
        return [
            ProgramFacts.Entry(
                "\(schema.environmentPrefix)...",
                """
                A setting: its key in capitals, with _ for each . and -, such as \(schema.variable(of: schema.exampleKey)) for \
                \(schema.exampleKey). It overrides the file.
                """),
            ProgramFacts.Entry(
                "CREDENTIALS_DIRECTORY",
                """
                A folder with a file for each secret, named like its key: \(schema.secretKeys.joined(separator: ", ")). They \
                override the file, and the environment overrides them.
                """),
        ]
    }
}

extension ProgramFacts {
    /// The variable that every program with a manual page reads.
    static let pageEnvironment = Entry(
        ManualDate.variable, "The date of a page that `man` prints, in seconds since 1970; today unless set.")
}
