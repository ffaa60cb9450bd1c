import ArgumentParser

/// Scripts by which shells complete the words of a command line.
struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a script that completes relayctl's commands and options in a shell.",
        discussion: """
            bash: relayctl completions bash > /etc/bash_completion.d/relayctl
            zsh:  relayctl completions zsh > /usr/local/share/zsh/site-functions/_relayctl
            fish: relayctl completions fish > /etc/fish/completions/relayctl.fish
            """)

    /// A shell.
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

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() { print(Relayctl.completionScript(for: self.shell.shell)) }
}
