extension PostgresError {
    /// The message without the statement and the place in it, which say nothing to whoever did not write it.
    public var messageWithoutStatement: Substring {
        ["; LINE ", "; QUERY: ", "; CONTEXT: "].reduce(self.message[...]) { text, mark in
            text.firstRange(of: mark).map { text[..<$0.lowerBound] } ?? text
        }
    }
}
