import Logging
import MailModel

/// Builds one JSON object on one line.
struct JSONLine {
    /// Keys that the handler writes itself; metadata of the same name would make a duplicate and is left out.
    static let reserved: Set<String> = ["ts", "level", "msg", "logger"]
    /// The most bytes of one string value; longer ones are cut, so that a peer cannot fill the log with one reply.
    static let maximumValueLength = 8192

    private var text = "{"

    mutating func add(_ key: String, _ value: String) { self.add(key, .string(value)) }

    mutating func add(_ key: String, _ value: Logger.MetadataValue) {
        if self.text.utf8.count > 1 { self.text += "," }
        self.append(quoted: key)
        self.text += ":"
        self.append(value)
    }

    /// The whole object.
    func finished() -> String { self.text + "}" }

    private mutating func append(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let string):
            self.append(quoted: string)
        case .stringConvertible(let value):
            self.append(converted: value)
        case .array(let values):
            self.text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { self.text += "," }
                self.append(value)
            }
            self.text += "]"
        case .dictionary(let values):
            self.text += "{"
            for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { self.text += "," }
                self.append(quoted: key)
                self.text += ":"
                self.append(value)
            }
            self.text += "}"
        }
    }

    /// Numbers and Booleans stay what they are, so that `duration_ms` can be compared; everything else is its text.
    private mutating func append(converted value: any CustomStringConvertible) {
        switch value {
        case let number as any BinaryInteger: self.text += number.description
        case let number as Double where number.isFinite: self.text += number.description
        case let flag as Bool: self.text += flag ? "true" : "false"
        default: self.append(quoted: value.description)
        }
    }

    private mutating func append(quoted string: String) {
        JSONText.append(quoted: string, atMost: Self.maximumValueLength, to: &self.text)
    }
}
