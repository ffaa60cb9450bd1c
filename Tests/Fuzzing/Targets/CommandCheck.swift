/// One line of a client, where it is the first after EHLO and within a transaction, each cut in every way.
enum CommandCheck {
    private static let states = [
        ServerSessionCheck.player(after: ["EHLO client.test"]),
        ServerSessionCheck.player(after: ["EHLO client.test", "STARTTLS", "EHLO client.test", "MAIL FROM:<>"]),
    ].compactMap { $0 }

    static func check(_ input: [UInt8]) throws(Violation) {
        // The line ends where the input does: what follows it has the other target to itself.
        let line = input.prefix { $0 != 10 } + [13, 10]
        for state in self.states {
            var whole = state
            try whole.play(Array(line), .whole)
            var bytes = state
            try bytes.play(Array(line), .bytes)
            try promise(
                whole.events == bytes.events, "a command depends on its pieces: \(whole.events), \(bytes.events)")
        }
    }
}
