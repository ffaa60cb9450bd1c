import Foundation

/// One line of a JSON log. Lines of another form (a crash, say) have their text and no fields.
public struct LabLogLine: Sendable {
    /// The line as written.
    public let text: String
    private let fields: [String: Scalar]

    /// A field's value as text, such as `line["event"]`.
    public subscript(key: String) -> String? { self.fields[key]?.text }

    /// Whether it is JSON.
    public var isStructured: Bool { !self.fields.isEmpty }

    /// Reads a line.
    public init(_ text: String) {
        self.text = text
        self.fields = (try? JSONDecoder().decode([String: Scalar].self, from: Data(text.utf8))) ?? [:]
    }

    /// All whole lines of a file; none where there is no file yet.
    static func read(_ file: URL) -> [LabLogLine] {
        guard let data = try? Data(contentsOf: file) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map { LabLogLine(String($0)) }
    }

    /// A JSON value, kept as text; what is neither text, number nor truth value is left out.
    private struct Scalar: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self.text = text
            } else if let flag = try? container.decode(Bool.self) {
                self.text = "\(flag)"
            } else if let number = try? container.decode(Double.self) {
                self.text = Int64(exactly: number).map { "\($0)" } ?? "\(number)"
            } else {
                self.text = nil
            }
        }
    }
}
