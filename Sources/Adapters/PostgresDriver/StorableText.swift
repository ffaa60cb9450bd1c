extension String {
    /// The text as the database takes it. What a peer says may hold a NUL, which `text` cannot; that must not keep it from
    /// being recorded.
    public var storable: String {
        self.utf8.contains(0) ? String(self.map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self
    }
}
