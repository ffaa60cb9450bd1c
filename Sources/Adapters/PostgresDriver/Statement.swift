/// One SQL command with its parameters, `$1`, `$2`, …
public struct Statement: Sendable {
    /// The text. Every connection prepares each distinct text once, so never write values into it.
    public let sql: String
    /// They are encoded by the thread of the connection that sends them.
    let parameters: [any PostgresEncodable]

    /// A command; the parameters' order is that of their numbers.
    public init(_ sql: String, _ parameters: any PostgresEncodable...) {
        self.init(sql, parameters: parameters)
    }

    /// A command whose parameters come as an array.
    public init(_ sql: String, parameters: [any PostgresEncodable]) {
        self.sql = sql
        self.parameters = parameters
    }

    /// The type of each parameter.
    var types: [UInt32] { self.parameters.map { type(of: $0).postgresType.rawValue } }
}

/// Parameters in wire form: all in one buffer, with where each begins.
struct EncodedParameters {
    private(set) var bytes: [UInt8] = []
    /// `nil` is NULL.
    private(set) var offsets: [Int?] = []
    private(set) var lengths: [Int32] = []

    init(_ parameters: [any PostgresEncodable]) {
        for parameter in parameters {
            let start = self.bytes.count
            self.offsets.append(parameter.isNull ? nil : start)
            if !parameter.isNull { parameter.encode(into: &self.bytes) }
            self.lengths.append(Int32(self.bytes.count - start))
        }
        // One byte more, so that an empty value at the end has an address too: a null pointer means NULL.
        self.bytes.append(0)
    }
}
