/// One key: how it is read into a value of type `Root`, and what it means.
package struct Setting<Root>: Sendable {
    package let key: String
    package let summary: String
    let expected: String
    let isRequired: Bool
    /// Never shown, and may come from `$CREDENTIALS_DIRECTORY`.
    let isSecret: Bool
    /// A reload takes it over; else a new value waits for a restart.
    let isReloaded: Bool
    let apply:
        @Sendable (ConfigurationNode, _ key: String, ConfigurationDialect, inout Root) throws(ConfigurationProblem) ->
            Void
    package let render: @Sendable (Root) -> String
    /// Copies the value.
    let copy: @Sendable (_ from: Root, _ to: inout Root) -> Void

    init<Value: Sendable>(
        _ key: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ syntax: ValueSyntax<Value>,
        isRequired: Bool = false, isSecret: Bool = false, isReloaded: Bool = false, _ summary: String
    ) {
        self.key = key
        self.summary = summary
        self.expected = syntax.expected
        self.isRequired = isRequired
        self.isSecret = isSecret
        self.isReloaded = isReloaded
        self.apply = { node, key, context, root throws(ConfigurationProblem) in
            root[keyPath: path] = try syntax.parse(node, key, context)
        }
        self.render = { syntax.render($0[keyPath: path]) }
        self.copy = { source, target in target[keyPath: path] = source[keyPath: path] }
    }
}
