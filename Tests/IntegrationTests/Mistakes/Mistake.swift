import Foundation

/// A mistake that an operator makes (`DIR` is the folder of files, `HELD` a port that somebody else has), as a row of docs/mistakes.md.
struct Mistake: Sendable {
    /// Where an operator's file is; `DIR` in all texts.
    enum File: Sendable {
        /// A good configuration, but for these sections: whole values in YAML, by first key.
        case sections([String: String])
        /// The whole text.
        case text(String)
        /// A file that is not there.
        case absent
    }

    let title: String
    var program = "relayd"
    var arguments = ["config", "check"]
    var file = File.sections([:])
    var mode = 0o600
    var environment: [String: String] = [:]
    /// Whether a program of root is run as another user.
    var asOrdinaryUser = false
    /// Whether it is run without the capability for ports below 1024, on a network of its own, whose ports are those of the system.
    var isWithoutCapability = false

    init(_ title: String, _ sections: [String: String] = [:]) {
        self.title = title
        self.file = .sections(sections)
    }

    init(_ title: String, text: String, mode: Int = 0o600) {
        self.title = title
        self.file = .text(text)
        self.mode = mode
    }

    /// A command that reads no configuration, or another one.
    init(
        _ title: String, of program: String = "relayd", command arguments: [String], environment: [String: String] = [:]
    ) {
        self.title = title
        self.program = program
        self.arguments = arguments
        self.file = .absent
        self.environment = environment
    }

    /// The same with more words behind the command.
    func adding(_ words: String..., environment: [String: String] = [:]) -> Mistake {
        var changed = self
        changed.arguments += words
        changed.environment = environment
        return changed
    }

    /// The same as a start of the node, beside this database.
    func running(_ connection: String) -> Mistake {
        var changed = self
        changed.arguments = ["run"]
        if case .sections(let sections) = self.file {
            let database = "{connection: \"\(connection)\", acquire-timeout: 3s}"
            changed.file = .sections(["database": database].merging(sections) { $1 })
        }
        return changed
    }

    /// The same without the capability for ports below 1024.
    func withoutCapability() -> Mistake {
        var changed = self
        changed.isWithoutCapability = true
        return changed
    }

    /// The name of its configuration.
    var fileName: String { self.program == "relay-controller" ? "relay-controller.yaml" : "relayd.yaml" }

    /// The text of its configuration; `nil` where it has none.
    var yaml: String? {
        switch self.file {
        case .absent: nil
        case .text(let text): text
        case .sections(let sections):
            Self.good.merging(sections) { $1 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined()
        }
    }

    private static let good = [
        "node": "{name: mx1.example.org}",
        "smtp": "{listeners: [{name: a, address: \"127.0.0.1:2525\"}]}",
        "telemetry": "{address: \"127.0.0.1:0\"}",
        "tls": "{certificates: [{certificate: DIR/chain.pem, key: DIR/key.pem}]}",
    ]
}
