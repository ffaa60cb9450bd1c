/// The page of a program, or of one of its commands.
struct CommandPage {
    /// Where administration has its place.
    static let section = 8

    let command: CommandDescription
    let facts: ProgramFacts
    let date: String
    let source: String

    /// In the macros of man(7).
    var text: String {
        var page = RoffWriter(self.name, section: Self.section, date: self.date, source: self.source)
        page.section("Name")
        page.paragraph([.plain("\(self.name) - \(Self.withoutPoint(self.command.abstract ?? ""))")])
        page.section("Synopsis")
        for command in self.command.leaves { page.paragraph(Self.synopsis(of: command)) }
        if let discussion = self.command.discussion {
            page.section("Description")
            page.prose(discussion)
        }
        self.writeCommands(to: &page)
        self.writeFacts(to: &page)
        return page.text
    }

    /// `relayctl-queue-list`, as the pages of commands are usually called.
    private var name: String { self.command.words.joined(separator: "-") }

    private var isOfOneCommand: Bool { self.command.shownSubcommands.isEmpty }

    private func writeCommands(to page: inout RoffWriter) {
        page.section(self.isOfOneCommand ? "Options" : "Commands")
        for group in self.command.shownSubcommands { self.write(group, to: &page) }
        for argument in self.command.shownArguments { Self.write(argument, to: &page) }
        page.entry(
            [.literal("--help"), .plain(", "), .literal("-h")], "Say how a command is used. Every command has it.")
        if self.command.superCommands == nil { page.entry([.literal("--version")], "Print the version.") }
    }

    /// A command with its options, and those below it, each under a heading of its own.
    private func write(_ command: CommandDescription, to page: inout RoffWriter) {
        page.subsection(command.words.joined(separator: " "))
        if let abstract = command.abstract { page.prose(abstract) }
        if let discussion = command.discussion { page.prose(discussion) }
        for argument in command.shownArguments { Self.write(argument, to: &page) }
        for subcommand in command.shownSubcommands { self.write(subcommand, to: &page) }
    }

    private func writeFacts(to page: inout RoffWriter) {
        let environment = self.facts.environment + [ProgramFacts.pageEnvironment]
        for (title, entries) in [
            ("Exit status", self.facts.exitStatuses), ("Environment", environment), ("Files", self.facts.files),
        ] {
            page.section(title)
            for entry in entries { page.entry([.literal(entry.term)], entry.meaning) }
        }
        page.section("See also")
        page.paragraph([.plain(self.facts.seeAlso.joined(separator: ", "))])
    }

    private static func write(_ argument: CommandDescription.Argument, to page: inout RoffWriter) {
        let value = RoffWriter.Span.variable(argument.valueName ?? "value")
        var term: [RoffWriter.Span] = []
        for name in argument.names ?? [] {
            if !term.isEmpty { term.append(.plain(", ")) }
            term.append(.literal(name.typed))
        }
        switch argument.kind {
        case .flag: ()
        case .option: term += [.plain(" "), value]
        case .positional: term = [value]
        }
        let usual = argument.defaultValue.map { " Default: \($0)." } ?? ""
        let text = [argument.abstract, argument.discussion].compactMap(\.self).joined(separator: " ")
        page.entry(term, text + usual)
    }

    /// The command with its options in brackets.
    private static func synopsis(of command: CommandDescription) -> [RoffWriter.Span] {
        command.shownArguments.reduce([.literal(command.words.joined(separator: " "))]) { spans, argument in
            let value = RoffWriter.Span.variable(argument.valueName ?? "value")
            let name = argument.names?.last.map { RoffWriter.Span.literal($0.typed) }
            let words: [RoffWriter.Span] =
                switch (argument.kind, name) {
                case (.flag, let name?): [name]
                case (.option, let name?): [name, .plain(" "), value]
                default: [value]
                }
            let more: [RoffWriter.Span] = argument.isRepeating ? [.plain(" ...")] : []
            return spans + [.plain(argument.isOptional ? " [" : " ")] + words + more
                + (argument.isOptional ? [.plain("]")] : [])
        }
    }

    private static func withoutPoint(_ text: String) -> String {
        text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
