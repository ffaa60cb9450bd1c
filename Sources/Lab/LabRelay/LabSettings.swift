import Foundation

/// The YAML file of a program of the lab: whole values in YAML, by whole key such as `queue.shards`.
struct LabSettings {
    /// Later ones replace earlier ones.
    var values: [String: String]

    /// Replaces the values of these keys.
    mutating func override(_ settings: [String: String]) { self.values.merge(settings) { $1 } }

    /// The file: a section for each first part of a key.
    var yaml: String {
        let sections = Dictionary(grouping: self.values.sorted { $0.key < $1.key }) {
            String($0.key.prefix { $0 != "." })
        }
        return sections.sorted { $0.key < $1.key }.map { name, entries in
            let lines = entries.map { key, value in
                let inner = key.dropFirst(name.count + 1)
                return inner.isEmpty ? "\(name): \(value)" : "  \(inner): \(value)"
            }
            let isSection = entries.allSatisfy { $0.key != name }
            return ((isSection ? ["\(name):"] : []) + lines).joined(separator: "\n") + "\n"
        }.joined()
    }

    /// A YAML text in single quotes, in which nothing but the quote itself is special.
    static func quoted(_ text: String) -> String {
        "'\(text.replacing("'", with: "''"))'"
    }
}
