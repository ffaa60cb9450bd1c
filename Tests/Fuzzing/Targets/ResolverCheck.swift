import SecureResolver

/// What a resolver's process says to its node, and what it is told: whoever broke into it writes the one.
enum ResolverCheck {
    static func check(_ input: [UInt8]) throws(Violation) {
        if let report = ResolverMessage.report(input) {
            try self.check(report)
            // What is understood is written as it is read, or the two sides would not mean the same.
            try promise(ResolverMessage.report(ResolverMessage.bytes(report)) == report, "\(report) is read as another")
        }
        if let request = ResolverMessage.request(input) {
            try promise(
                ResolverMessage.request(ResolverMessage.bytes(request)) == request, "\(request) is read as another")
        }
    }

    private static func check(_ report: ResolverReport) throws(Violation) {
        switch report {
        case .ready(let text), .refused(let text), .failed(_, let text): try self.check(text)
        case .answer(_, let raw):
            try promise(raw.packet.count <= ResolverMessage.longestPacket, "a packet of \(raw.packet.count) bytes")
            try promise((0...4095).contains(raw.rcode), "RCODE \(raw.rcode)")
            try promise(!(raw.isSecure && raw.bogusReason != nil), "secure and bogus")
            try self.check(raw.bogusReason ?? "")
        case .pong: ()
        }
    }

    private static func check(_ text: String) throws(Violation) {
        try promise(text.utf8.count <= ResolverMessage.longestText, "\(text.utf8.count) bytes of text")
        try promise(text.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "text that cannot be printed")
    }
}
