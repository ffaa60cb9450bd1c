/// One field of an HTTP/2 field section.
package struct HeaderField: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// What the field counts against a limit (RFC 9113 §6.5.2): its name, its value and 32 bytes.
    package static func size(name: Int, value: Int) -> Int { name + value + 32 }
}

/// A field section in order, pseudo-header fields first.
package struct HeaderList: Hashable, Sendable {
    package private(set) var fields: [HeaderField]

    package init(_ fields: [HeaderField] = []) { self.fields = fields }

    package mutating func append(_ name: String, _ value: String) { self.fields.append(HeaderField(name, value)) }

    /// The first value under this name.
    package func first(_ name: String) -> String? { self.fields.first { $0.name == name }?.value }

    /// The values under this name, in order.
    package func values(_ name: String) -> [String] { self.fields.filter { $0.name == name }.map(\.value) }
}

extension HeaderList: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements.map { HeaderField($0.0, $0.1) })
    }
}
