public import ArgumentParser

/// Scripts by which shells complete the words of a command line.
public struct Completions<Program: DocumentedProgram>: ParsableCommand {
    public static var configuration: CommandConfiguration {
        let name = Program._commandName
        return CommandConfiguration(
            commandName: "completions",
            abstract: "Print a script that completes \(name)'s commands and options in a shell.",
            discussion: """
                bash: \(name) completions bash > /etc/bash_completion.d/\(name)
                zsh:  \(name) completions zsh > /usr/local/share/zsh/site-functions/_\(name)
                fish: \(name) completions fish > /etc/fish/completions/\(name).fish
                """)
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    public init() {}

    public func run() { print(Program.completionScript(for: self.shell.shell)) }
}

/// A shell whose completion we know.
enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish

    fileprivate var shell: CompletionShell {
        switch self {
        case .bash: .bash
        case .zsh: .zsh
        case .fish: .fish
        }
    }
}
