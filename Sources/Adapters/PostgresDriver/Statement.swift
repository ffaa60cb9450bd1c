/// One SQL command with its parameters, `$1`, `$2`, …
public struct Statement: Sendable {
    /// A parameter in wire form.
    struct Parameter: Sendable {
        let type: PostgresType
        /// `nil` is NULL.
        let bytes: [UInt8]?
    }

    /// The text. Every connection prepares each distinct text once, so never write values into it.
    public let sql: String
    let parameters: [Parameter]

    /// A command; the parameters' order is that of their numbers.
    public init(_ sql: String, _ parameters: any PostgresEncodable...) {
        self.init(sql, parameters: parameters)
    }

    /// A command whose parameters come as an array.
    public init(_ sql: String, parameters: [any PostgresEncodable]) {
        self.sql = sql
        self.parameters = parameters.map { value in
            guard !value.isNull else { return Parameter(type: type(of: value).postgresType, bytes: nil) }
            var bytes: [UInt8] = []
            value.encode(into: &bytes)
            return Parameter(type: type(of: value).postgresType, bytes: bytes)
        }
    }
}
