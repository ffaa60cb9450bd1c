public import ArgumentParser
import Foundation
import MailModel
import OperatingSystem

/// Prints manual pages, made from what the argument parser knows.
public struct ManualCommand<Program: DocumentedProgram>: ParsableCommand {
    private typealias Page = SettingsPage<Program.Settings>

    public static var configuration: CommandConfiguration {
        let (name, settings) = (Program._commandName, Page.name)
        return CommandConfiguration(
            commandName: "man", abstract: "Print a manual page of \(name), of a command, or of \(settings).",
            discussion: """
                \(name) man > /usr/local/share/man/man\(CommandPage.section)/\(name).\(CommandPage.section)
                \(name) man \(settings) > /usr/local/share/man/man\(Page.section)/\(settings).\(Page.section)
                \(name) man config show | man -l -
                """)
    }

    @Argument(help: "The words of a command, or \(Page.name); the program with all its commands unless given.")
    var command: [String] = []

    public init() {}

    public func run() throws {
        let (date, source) = (ManualDate.text(now: .systemNow), ProgramVersion.text(of: Program._commandName))
        if self.command == [Page.name] {
            print(Page(date: date, source: source).text, terminator: "")
            return
        }
        guard let command = try CommandDescription.of(Program.self).command(self.command) else {
            throw ValidationError("\(Program._commandName) has no command \(self.command.joined(separator: " ")).")
        }
        print(
            CommandPage(command: command, facts: Program.facts, date: date, source: source).text, terminator: "")
    }
}

/// The date of a page.
enum ManualDate {
    /// By which builds that are to be repeated say it (reproducible-builds.org).
    static let variable = "SOURCE_DATE_EPOCH"

    /// As 2027-01-31.
    static func text(
        given: String? = ProcessInfo.processInfo.environment[Self.variable], now: Timestamp
    ) -> String {
        let seconds = given.flatMap { Double($0) } ?? Double(now.microseconds) / 1_000_000
        return Date(timeIntervalSince1970: seconds).formatted(.iso8601.year().month().day())
    }
}
